/** Records reach a real broker once and in order, where Java's client would put them, by every codec. @module */
import { assert, assertEquals } from "@std/assert";
import { sharedKafka } from "../services/kafka.ts";
import { produce } from "../services/kcat.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, reasonsOf } from "../support/written.ts";
import { assertNumbers, delivered, postNumbers, startGateway } from "./kafka_gateway.ts";
import { KafkaTopic } from "./kafka_topic.ts";
import { openKafka } from "./kafka_sink.ts";

const RECORDS = 200_000;
const KEYS = 10_000;

for (
  const { compression, batch, parallelism } of [
    { compression: "none", batch: {}, parallelism: 1 },
    { compression: "gzip", batch: { maxRecords: 5000, lingerMs: 20 }, parallelism: 1 },
    { compression: "snappy", batch: { maxRecords: 1000, lingerMs: 0 }, parallelism: 1 },
    { compression: "lz4", batch: { maxBytes: 262_144 }, parallelism: 3 },
    { compression: "zstd", batch: {}, parallelism: 2 },
  ]
) {
  requires("kafka", "kcat").test(
    `kafka sink stores ${RECORDS} records of ${KEYS} keys once and in order by ${compression}`,
    async () => {
      await using topic = await KafkaTopic.create(await sharedKafka(), 8);
      await using gateway = await startGateway(topic, { compression, batch, parallelism });
      await postNumbers(gateway, 0, RECORDS, { keys: KEYS, padding: 40 });
      await delivered(gateway, RECORDS);
      await assertNumbers(topic, RECORDS);
    },
  );
}

requires("kafka", "kcat").test("kafka sink puts keys where murmur2 of other clients puts them", async () => {
  const address = await sharedKafka();
  await using theirs = await KafkaTopic.create(address, 7);
  await using ours = await KafkaTopic.create(address, 7);
  const keys = Array.from({ length: 1000 }, (_, i) => `${"k".repeat(i % 9)}é${i}`);
  const properties = { partitioner: "murmur2_random" };
  await produce(address, theirs.name, keys.map((key) => `${key}\tv`), { keyed: true, properties });
  {
    await using sink = await openKafka({ brokers: [address], topic: ours.name });
    await sink.write(keys.map((key) => ({ key, value: "v" })));
  }
  const placesIn = async (topic: KafkaTopic) =>
    (await topic.records()).map(({ key, partition }) => `${key} ${partition}`).sort();
  assertEquals(await placesIn(ours), await placesIn(theirs));
});

requires("kafka", "kcat").test(
  "kafka sink spreads records without key, and stores time, headers and CloudEvents in binary mode",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka(), 4);
    await using sink = await openKafka({
      brokers: [topic.address],
      topic: topic.name,
      maxBatchBytes: 1024,
    });
    const acceptedAtMs = Date.now();
    const headers = [["ce-id", "1"], ["ce-source", "/%C3%A9"], ["content-type", "text/plain"]] as const;
    await sink.write([
      { value: "event", key: "k", headers, cloudEvent: true },
      { value: "plain", key: "k", headers: [["x-trace", "7"]] },
      ...Array.from({ length: 200 }, (_, i) => `${i} ${"x".repeat(100)}`),
    ], { acceptedAtMs });
    const records = await topic.records();
    const event = records.find(({ value }) => value === "event");
    assertEquals(event?.headers, [["ce_id", "1"], ["ce_source", "/é"], ["content-type", "text/plain"]]);
    assertEquals(event?.timestampMs, acceptedAtMs);
    const plain = records.find(({ value }) => value === "plain");
    assertEquals([plain?.headers, plain?.timestampMs], [[["x-trace", "7"]], acceptedAtMs + 1]);
    const partitions = new Set(records.filter(({ key }) => key === null).map(({ partition }) => partition));
    assertEquals(partitions.size, 4);
  },
);

requires("kafka", "kcat").test("kafka sink takes the topic from the record, if the list has it", async () => {
  const address = await sharedKafka();
  await using first = await KafkaTopic.create(address);
  await using second = await KafkaTopic.create(address);
  const allow = [first.name, second.name];
  {
    await using sink = await openKafka({ brokers: [address], topic: { pointer: "/topic", allow } });
    const result = await sink.write([
      `{"topic":"${first.name}"}`,
      '{"topic":"others"}',
      `{"topic":"${second.name}"}`,
      "{}",
    ]);
    assertEquals(outcomesOf(result), [0, 2, 0, 2]);
    assert(reasonsOf(result)[0].includes('"others" is not in the list'), reasonsOf(result)[0]);
  }
  {
    await using sink = await openKafka({ brokers: [address], topic: { header: "X-Topic", allow } });
    const result = await sink.write([{ value: "1", headers: [["x-topic", second.name]] }, "2"]);
    assertEquals(outcomesOf(result), [0, 2]);
  }
  assertEquals((await first.records()).map(({ value }) => value), [`{"topic":"${first.name}"}`]);
  assertEquals((await second.records()).map(({ value }) => value), [`{"topic":"${second.name}"}`, "1"]);
});
