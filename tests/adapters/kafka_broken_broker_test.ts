/** The `kafka` sink and answers that a real broker of today cannot be made to give. @module */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { outcomesOf, reasonsOf } from "../support/written.ts";
import { Api, BrokenBroker, frame, type ToldPartition, type ToldTopic } from "./kafka/broken_broker.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { openKafka } from "./kafka_sink.ts";
import type { OpenSink } from "./open_sink.ts";

const TOPICS: readonly [string, ToldTopic, string][] = [
  // Brokers with ZooKeeper answer so while they create a topic.
  ["is being created", { code: 5, partitions: 0 }, "LEADER_NOT_AVAILABLE (5)"],
  ["has no partitions", { code: 0, partitions: 0 }, "it has no partitions"],
  ["is left out of the answer", { code: 0, partitions: 1, name: "another" }, "told nothing of the topic"],
];

for (const [what, topic, reason] of TOPICS) {
  Deno.test(`kafka sink keeps records whose topic ${what}, and stores them when it is there`, async () => {
    await using broker = await BrokenBroker.open("orders");
    broker.topic = topic;
    await using sink = await openKafka({ brokers: [broker.address], topic: "orders" });
    const records = ["without key", { key: "k", value: "with key" }];
    const early = await sink.write(records);
    assertEquals(outcomesOf(early), [1, 1]);
    assertStringIncludes(reasonsOf(early)[0], reason);
    assertEquals(broker.asked.get(Api.PRODUCE), undefined);
    broker.topic = { code: 0, partitions: 1 };
    assertEquals(outcomesOf(await sink.write(records)), [0, 0]);
    assertEquals(broker.asked.get(Api.PRODUCE), 1);
  });
}

const SILENCE = "nothing at all";
/** Broker and sink are in one process: while that gets no processor the sink waits too. */
const SILENCE_TIMEOUT_MS = 1000;

const BROKEN: readonly [string, (correlation: number, socket: Socket) => void][] = [
  [
    "another request's number",
    (correlation, socket) => void socket.write(frame(correlation + 1000, Buffer.alloc(8))),
  ],
  ["half a frame and a closed connection", (correlation, socket) => {
    socket.end(frame(correlation, Buffer.alloc(60)).subarray(0, 20));
  }],
  [
    "a frame that ends too early",
    (correlation, socket) => void socket.write(frame(correlation, Uint8Array.of(2))),
  ],
  ["a frame of noise", (correlation, socket) => {
    socket.write(frame(correlation, Uint8Array.from({ length: 500 }, (_, at) => at * 37)));
  }],
  ["a frame of a negative length", (_, socket) => void socket.write(Buffer.alloc(64, 0xff))],
  ["nothing, and closes", (_, socket) => void socket.destroy()],
  [SILENCE, () => {}],
];

for (const [name, api] of Object.entries(Api)) {
  for (const [what, answer] of BROKEN) {
    Deno.test(`kafka sink gets over a broker that answers ${name} with ${what}`, async () => {
      await using broker = await BrokenBroker.open("orders");
      const requestTimeoutMs = what === SILENCE ? SILENCE_TIMEOUT_MS : undefined;
      const options = { brokers: [broker.address], topic: "orders", requestTimeoutMs };
      await using sink = await openKafka(options);
      await using fresh = await openKafka(options);
      if (api !== Api.INIT_PRODUCER_ID) await assertTaken(sink, "0");
      if (api === Api.METADATA) broker.stored = [{ partition: 0, code: 6 }];
      let left = 2;
      broker.intercept = (asked, correlation, socket) => {
        if (asked !== api || left === 0) return false;
        if (--left === 0) broker.stored = [{ partition: 0, code: 0 }];
        answer(correlation, socket);
        return true;
      };
      for (const each of [sink, fresh]) await assertTaken(each, "1");
      assertEquals(left, 0);
    });
  }
}

/** As the lane does: what is given back goes again. */
async function assertTaken(sink: OpenSink, value: string): Promise<void> {
  let result = await sink.write([value]);
  for (let tries = 0; outcomesOf(result)[0] === 1 && tries < 5; tries++) result = await sink.write([value]);
  assertEquals(outcomesOf(result), [0]);
}

const ODD: readonly [string, readonly ToldPartition[]][] = [
  ["an unknown code", [{ partition: 0, code: 999 }]],
  ["a partition that was not asked for", [{ partition: 5, code: 0 }]],
  ["no partition", []],
];

for (const [what, stored] of ODD) {
  Deno.test(`kafka sink asks under the same number until it is told more than ${what}`, async () => {
    await using broker = await BrokenBroker.open("orders");
    await using sink = await openKafka({ brokers: [broker.address], topic: "orders" });
    broker.intercept = (api) => {
      if (api === Api.PRODUCE) {
        broker.stored = broker.asked.get(api)! < 3 ? stored : [{ partition: 0, code: 0 }];
      }
      return false;
    };
    assertEquals(outcomesOf(await sink.write(["1"])), [0]);
    assertEquals([broker.asked.get(Api.PRODUCE), broker.asked.get(Api.INIT_PRODUCER_ID)], [3, 1]);
  });
}

const FORGOTTEN: readonly [string, number, number][] = [
  // [what the broker answers, its code, producer ids that the sink takes]
  ["it knows nothing of the producer", 59, 1],
  ["the producer's epoch is over", 47, 1],
  ["batches before it are missing", 45, 2],
];

for (const [what, code, ids] of FORGOTTEN) {
  const fate = ids === 1 ? "asks on under the same number for" : "sends anew";
  Deno.test(`kafka sink ${fate} a batch without an answer of which the broker says then that ${what}`, async () => {
    await using broker = await BrokenBroker.open("orders");
    await using sink = await openKafka({ brokers: [broker.address], topic: "orders" });
    assertEquals(outcomesOf(await sink.write(["0"])), [0]);
    const before = broker.asked.get(Api.PRODUCE)!;
    broker.intercept = (api, _, socket) => {
      if (api !== Api.PRODUCE) return false;
      const nth = broker.asked.get(api)! - before;
      broker.stored = [{ partition: 0, code: nth < 4 ? code : 46 }];
      // DUPLICATE_SEQUENCE_NUMBER is for a batch that it has; a new number would meet code 0.
      if (broker.asked.get(Api.INIT_PRODUCER_ID)! > 1) broker.stored = [{ partition: 0, code: 0 }];
      if (nth === 1) socket.destroy();
      return nth === 1;
    };
    assertEquals(outcomesOf(await sink.write(["1"])), [0]);
    assertEquals(broker.asked.get(Api.INIT_PRODUCER_ID), ids);
  });
}

Deno.test("kafka sink sends no write before the broker's throttle is over, also not one that waits already", async () => {
  const clock = new ManualClock();
  await using broker = await BrokenBroker.open("orders");
  await using sink = await openKafka({ brokers: [broker.address], topic: "orders" }, { clock });
  broker.throttleMs = 5000;
  const first = sink.write(["1"]);
  const second = sink.write(["2"]);
  assertEquals((await first).pressure, { kind: "throttle", delayMs: 5000 });
  broker.throttleMs = 0;
  await clock.run(4999);
  // As long as a request takes that is not held back.
  await sink.check();
  assertEquals(broker.asked.get(Api.PRODUCE), 1);
  await clock.run(1);
  assertEquals(outcomesOf(await second), [0]);
  assertEquals(broker.asked.get(Api.PRODUCE), 2);
});

Deno.test("kafka sink closes also while a broker does not answer, and the write then ends", async () => {
  await using broker = await BrokenBroker.open("orders");
  const sink = await openKafka({ brokers: [broker.address], topic: "orders", requestTimeoutMs: 600_000 });
  const asked = Promise.withResolvers<void>();
  broker.intercept = (api) => {
    if (api !== Api.PRODUCE) return false;
    asked.resolve();
    return true;
  };
  const ended = assertRejects(
    () => sink.write(["1"], { signal: new AbortController().signal }),
    Error,
    "the sink was closed",
  );
  await asked.promise;
  await deadline(sink[Symbol.asyncDispose](), 60_000);
  await deadline(ended, 60_000);
});
