/**
 * Answers that are lost, late or bad, at moments that only something between the sink and a real broker can choose: what
 * was stored is never stored again, and what was not is sent again.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { WriteResult } from "../../src/sink/adapter.ts";
import { KafkaAdmin } from "../services/kafka_admin.ts";
import { KafkaBroker } from "../services/kafka.ts";
import { END_TXN, KafkaProxy, PRODUCE } from "../services/kafka_proxy.ts";
import { LogLines } from "../support/log_lines.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { freePort } from "../support/ports.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, reasonsOf } from "../support/written.ts";
import { openKafka } from "./kafka_sink.ts";
import { KafkaTopic } from "./kafka_topic.ts";

/** Shorter than a client may wait for the end of a transaction. */
const TRANSACTION_TIMEOUT_MS = 1000;
/** So often a busy machine may take longer than that for a transaction. */
const MAX_TRIES = 5;

requires("kafka", "kcat", "mvn").test("kafka sink behind a network that fails", async (t) => {
  const port = freePort();
  await using broker = await KafkaBroker.start({
    listeners: [{ name: "PROXIED", protocol: "PLAINTEXT", advertisedPort: port }],
    settings: { "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200" },
  });
  await using proxy = await KafkaProxy.start(port, () => broker.addressOf("PROXIED"));
  const address = `127.0.0.1:${port}`;

  for (const code of [45, 47, 59]) {
    await t.step(`begins anew when the broker has lost what it knew of the producer (${code})`, async () => {
      await using topic = await KafkaTopic.create(broker.address);
      const log = new LogLines();
      await using sink = await openKafka({ brokers: [address], topic: topic.name }, { log });
      assertEquals(outcomesOf(await sink.write(["1"])), [0]);
      proxy.next(PRODUCE, { kind: "answered", code });
      assertEquals(outcomesOf(await sink.write(["2", "3"])), [0, 0]);
      assertEquals(outcomesOf(await sink.write(["4"])), [0]);
      assertEquals((await topic.records()).map(({ value }) => value), ["1", "2", "3", "4"]);
      assert(log.lines.some(({ message }) => message.includes("it begins anew")), "it is logged");
    });
  }

  await t.step("keeps a batch that may be stored when a later try of it is refused", async () => {
    await using topic = await KafkaTopic.create(broker.address);
    await using sink = await openKafka({ brokers: [address], topic: topic.name });
    assertEquals(outcomesOf(await sink.write(["1"])), [0]);
    proxy.next(PRODUCE, { kind: "unanswered" }, { kind: "answered", code: 29 });
    assertEquals(outcomesOf(await sink.write(["2"])), [0]);
    assertEquals(outcomesOf(await sink.write(["3"])), [0]);
    assertEquals((await topic.records()).map(({ value }) => value), ["1", "2", "3"]);
    assertEquals(proxy.waiting, 0);
  });

  const transactional = (topic: KafkaTopic) => ({
    brokers: [address],
    topic: topic.name,
    transactional: true,
    transactionalId: topic.name,
    createTopics: true,
  });

  await t.step("acks a batch whose commit had no answer, and was done", async () => {
    await using topic = await KafkaTopic.create(broker.address);
    const log = new LogLines();
    await using sink = await openKafka(transactional(topic), { log });
    assertEquals(outcomesOf(await sink.write(["1"])), [0]);
    proxy.next(END_TXN, { kind: "unanswered" });
    assertEquals(outcomesOf(await sink.write(["2", "3"])), [0, 0]);
    assertEquals(outcomesOf(await sink.write(["4"])), [0]);
    assertEquals((await topic.records()).map(({ value }) => value), ["1", "2", "3", "4"]);
    assert(log.lines.some(({ message }) => message.includes("may be committed or not")), "it is logged");
  });

  await t.step("asks for a commit again that the coordinator never heard of", async () => {
    await using topic = await KafkaTopic.create(broker.address);
    await using sink = await openKafka(transactional(topic));
    assertEquals(outcomesOf(await sink.write(["1"])), [0]);
    proxy.next(END_TXN, { kind: "lost" });
    assertEquals(outcomesOf(await sink.write(["2", "3"])), [0, 0]);
    assertEquals((await topic.records()).map(({ value }) => value), ["1", "2", "3"]);
    assertEquals(outcomesOf(await sink.write(["4"])), [0]);
    assertEquals((await topic.records()).map(({ value }) => value), ["1", "2", "3", "4"]);
  });

  await t.step("commits the next batch only when that is complete, though a commit comes late", async () => {
    await using topic = await KafkaTopic.create(broker.address);
    await using sink = await openKafka(transactional(topic));
    const { promise: isLate, resolve: comes } = Promise.withResolvers<void>();
    proxy.next(END_TXN, { kind: "overdue", until: () => isLate });
    assertEquals(outcomesOf(await sink.write(["1"])), [0]);
    const until = async () => {
      comes();
      await delay(300); // until the broker has answered it
    };
    proxy.next(PRODUCE, { kind: "late", until });
    proxy.next(END_TXN, { kind: "lost" });
    assertEquals(outcomesOf(await sink.write(["2", "3"])), [0, 0]);
    assertEquals((await topic.records()).map(({ value }) => value), ["1", "2", "3"]);
  });

  await t.step("gives a batch back whose records had no answer, and stores no other with it", async () => {
    await using topic = await KafkaTopic.create(broker.address);
    await using sink = await openKafka(transactional(topic));
    proxy.next(PRODUCE, { kind: "unanswered" });
    assertEquals(outcomesOf(await sink.write(["1", "2"])), [1, 1]);
    assertEquals(outcomesOf(await sink.write(["3"])), [0]);
    assertEquals(outcomesOf(await sink.write(["1", "2"])), [0, 0]);
    assertEquals((await topic.records()).map(({ value }) => value), ["3", "1", "2"]);
  });

  await t.step(
    "sends a batch again that it may no longer commit when the positions are gone for good",
    async () => {
      await using topic = await KafkaTopic.create(broker.address);
      await using admin = new KafkaAdmin(broker.address);
      const positionTopic = `${topic.name}-positions`;
      const [log, clock] = [new LogLines(), new ManualClock()];
      const own = { positionTopic, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
      await using sink = await openKafka({ ...transactional(topic), ...own }, { log, clock });
      await admin.createTopic(positionTopic);
      await stored(() => hurried(clock, sink.write(["1"])));
      const until = async () => {
        await admin.deleteTopic(positionTopic);
        await topic.settled();
      };
      proxy.next(END_TXN, { kind: "late", until, isUnanswered: true });
      assertEquals(outcomesOf(await asked(proxy, () => hurried(clock, sink.write(["2"])))), [1]);
      assert(log.lines.some(({ message }) => message.includes("may be stored twice")), "it is logged");
    },
  );

  await t.step(
    "commits the partitions of the last transaction once more over a new connection, before it can abort anything there",
    async () => {
      await using topic = await KafkaTopic.create(broker.address);
      await using sink = await openKafka(transactional(topic));
      for (const value of ["1", "2", "3", "4"]) {
        if (value === "3") proxy.cut();
        // What is asked on a connection that is gone is given back.
        while (outcomesOf(await sink.write([value]))[0] !== 0);
      }
      // Each commit leaves a mark in the log: there is one more before the third record.
      assertEquals((await topic.records()).map(({ value, offset }) => [value, offset]), [
        ["1", 0],
        ["2", 2],
        ["3", 5],
        ["4", 7],
      ]);
    },
  );

  await t.step(
    "begins anew after a transaction that was open for too long, as often as that is",
    async () => {
      await using topic = await KafkaTopic.create(broker.address);
      await using sink = await openKafka({
        ...transactional(topic),
        transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      });
      for (let round = 0; round < 2; round++) {
        // It is the broker's clock that runs out here, and nobody else's.
        const until = () => topic.settled();
        proxy.next(END_TXN, { kind: "late", until });
        const late = await asked(proxy, () => sink.write([`${round}`]));
        assertEquals(outcomesOf(late), [1]);
        assertStringIncludes(reasonsOf(late)[0], "PRODUCER_FENCED (90)");
        await stored(() => sink.write([`${round}`]));
      }
      assertEquals((await topic.records()).map(({ value }) => value), ["0", "1"]);
    },
  );
});

/** Writes until all is stored: a transaction is also open for too long while nobody gets a processor. */
async function stored(write: () => Promise<WriteResult>): Promise<void> {
  let outcomes = outcomesOf(await write());
  for (let tries = 1; outcomes.includes(1) && tries < MAX_TRIES; tries++) {
    outcomes = outcomesOf(await write());
  }
  assertEquals(outcomes, outcomes.map(() => 0));
}

/** Writes until the fault has met its request, which does not come where a transaction was over before its end. */
async function asked(proxy: KafkaProxy, write: () => Promise<WriteResult>): Promise<WriteResult> {
  let result = await write();
  for (let tries = 1; proxy.waiting > 0 && tries < MAX_TRIES; tries++) result = await write();
  return result;
}

/** Waits for `write`, while the sink's time runs many times as fast as the broker's. */
async function hurried(clock: ManualClock, write: Promise<WriteResult>): Promise<WriteResult> {
  let isSettled = false;
  void write.finally(() => isSettled = true);
  while (!isSettled) {
    await clock.run(500);
    await delay(20);
  }
  return await write;
}
