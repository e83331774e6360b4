/** What a real broker refuses, and what becomes of it: topics that are not there, and records that are too large. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { KafkaAdmin } from "../services/kafka_admin.ts";
import { sharedKafka } from "../services/kafka.ts";
import { consume } from "../services/kcat.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, reasonsOf } from "../support/written.ts";
import { openKafka } from "./kafka_sink.ts";
import { KafkaTopic } from "./kafka_topic.ts";

requires("kafka", "kcat").test(
  "kafka sink keeps records whose topic is not there, and stores them once it is, and was deleted between",
  async () => {
    const address = await sharedKafka();
    const topic = `weir-test-${crypto.randomUUID()}`;
    await using admin = new KafkaAdmin(address);
    await using sink = await openKafka({ brokers: [address], topic });
    const early = await sink.write(["1", "2"]);
    assertEquals(outcomesOf(early), [1, 1]);
    assertStringIncludes(reasonsOf(early)[0], `there is no topic ${topic}`);

    await admin.createTopic(topic, 2);
    assertEquals(outcomesOf(await sink.write(["1", "2"])), [0, 0]);
    assertEquals((await consume(address, topic)).map(({ value }) => value).sort(), ["1", "2"]);

    await admin.deleteTopic(topic);
    let gone = await sink.write(["3"]);
    // A broker may know it for a moment yet.
    while (outcomesOf(gone)[0] === 0) gone = await sink.write(["3"]);
    assertStringIncludes(reasonsOf(gone)[0], `there is no topic ${topic}`);

    await admin.createTopic(topic, 1);
    assertEquals(outcomesOf(await sink.write(["4", "5"])), [0, 0]);
    assertEquals((await consume(address, topic)).map(({ value }) => value), ["4", "5"]);
    await admin.deleteTopic(topic);
  },
);

for (const compression of ["none", "lz4"]) {
  requires("kafka", "kcat").test(
    `kafka sink halves batches over the topic's limit, and rejects only the record that is over it (${compression})`,
    async () => {
      await using topic = await KafkaTopic.create(await sharedKafka(), 1, { "max.message.bytes": "4096" });
      await using sink = await openKafka({ brokers: [topic.address], topic: topic.name, compression });
      // Random text, which no codec makes small.
      const noise = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)).toHex();
      const small = Array.from({ length: 60 }, (_, i) => `${i} ${noise(100)}`);
      const records = [...small.slice(0, 30), `large ${noise(8000)}`, ...small.slice(30)];
      const result = await sink.write(records.map((value) => ({ key: "k", value })));
      assertEquals(outcomesOf(result), records.map((value) => value.startsWith("large") ? 2 : 0));
      assertStringIncludes(reasonsOf(result)[0], "MESSAGE_TOO_LARGE (10)");
      assertEquals((await topic.records()).map(({ value }) => value), small);
    },
  );
}

requires("kafka", "kcat").test(
  "kafka sink rejects only the records that break a rule of the topic",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka(), 1, { "cleanup.policy": "compact" });
    await using sink = await openKafka({ brokers: [topic.address], topic: topic.name });
    const result = await sink.write([
      { key: "a", value: "1" },
      "without key",
      { key: "b", value: "2" },
      "without key, too",
      { key: "c", value: "3" },
    ]);
    assertEquals(outcomesOf(result), [0, 2, 0, 2, 0]);
    assertStringIncludes(reasonsOf(result)[0], "INVALID_RECORD (87)");
    assertEquals((await topic.records()).map(({ value }) => value), ["1", "2", "3"]);
  },
);

requires("kafka", "kcat").test(
  "kafka sink settles a write that waits for another when its signal is aborted",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka());
    await using sink = await openKafka({ brokers: [topic.address], topic: topic.name });
    const first = sink.write(["1"]);
    const second = sink.write(["2"], { signal: AbortSignal.abort(new Error("too late")) });
    assertEquals(outcomesOf(await second), [1]);
    assertEquals(outcomesOf(await first), [0]);
    assertEquals(outcomesOf(await sink.write(["3"])), [0]);
    assertEquals((await topic.records()).map(({ value }) => value), ["1", "3"]);
  },
);

for (const transactional of [false, true]) {
  requires("kafka", "kcat").test(
    `kafka sink stores each record once that is sent while its topic is created (transactional ${transactional})`,
    async () => {
      const address = await sharedKafka();
      const topic = `weir-test-${crypto.randomUUID()}`;
      await using admin = new KafkaAdmin(address);
      await using sink = await openKafka({
        brokers: [address],
        topic,
        transactional,
        ...transactional && { transactionalId: topic },
        // For the topic of positions; the broker creates no others by itself.
        createTopics: transactional,
      });
      const created = admin.createTopic(topic, 16);
      const sent: string[] = [];
      for (let body = 0; body < 20; body++) {
        const records = Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: `${body} ${i}` }));
        sent.push(...records.map(({ value }) => value));
        // As the lane does: what is not stored goes again.
        for (let open = records; open.length > 0;) {
          const outcomes = outcomesOf(await sink.write(open));
          open = open.filter((_, i) => outcomes[i] !== 0);
        }
      }
      await created;
      await admin.settled(topic);
      const stored = (await consume(address, topic)).map(({ value }) => value);
      assertEquals(stored.toSorted(), sent.toSorted());
      await admin.deleteTopic(topic);
    },
  );
}
