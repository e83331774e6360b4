/** Batches are cut for each partition before a broker has to refuse them. @module */
import { assert, assertEquals } from "@std/assert";
import { KafkaBroker } from "../services/kafka.ts";
import { KafkaProxy, PRODUCE } from "../services/kafka_proxy.ts";
import { freePort } from "../support/ports.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf } from "../support/written.ts";
import { batchesOf, type SentBatch } from "./kafka/produce_request.ts";
import { openKafka } from "./kafka_sink.ts";
import { KafkaTopic } from "./kafka_topic.ts";

const MAX_MESSAGE_BYTES = 16_384;
const MAX_BATCH_BYTES = 16_000;
const PARTITIONS = 4;
const RECORDS = 3_000;
const MAX_VALUE_BYTES = 500;
/** Beside its value: its key, and less than 20 bytes of lengths and differences. */
const MAX_RECORD_BYTES = MAX_VALUE_BYTES + 40;

requires("kafka", "kcat", "mvn").test(
  "kafka sink cuts batches by maxBatchBytes for each partition, so that a broker refuses none as too large",
  async () => {
    const port = freePort();
    await using broker = await KafkaBroker.start({
      listeners: [{ name: "PROXIED", protocol: "PLAINTEXT", advertisedPort: port }],
    });
    await using proxy = await KafkaProxy.start(port, () => broker.addressOf("PROXIED"));
    const settings = { "max.message.bytes": `${MAX_MESSAGE_BYTES}` };
    await using topic = await KafkaTopic.create(broker.address, PARTITIONS, settings);
    await using sink = await openKafka({
      brokers: [`127.0.0.1:${port}`],
      topic: topic.name,
      maxBatchBytes: MAX_BATCH_BYTES,
    });
    const requests: SentBatch[][] = [];
    proxy.onRequest = (key, frame) => {
      if (key === PRODUCE) requests.push(batchesOf(frame));
    };
    const records = Array.from({ length: RECORDS }, (_, n) => ({
      key: `key-${n % 100}`,
      value: `${n} `.padEnd(1 + n * 7919 % MAX_VALUE_BYTES, "x"),
    }));
    assertEquals(outcomesOf(await sink.write(records)), records.map(() => 0));

    const batches = requests.flat();
    const largest = Math.max(...batches.map(({ bytes }) => bytes));
    assert(largest <= MAX_BATCH_BYTES, `a batch has ${largest} bytes`);
    // What is refused comes again.
    assertEquals(batches.reduce((sum, { count }) => sum + count, 0), RECORDS);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const whole = batches.filter((each) => each.partition === partition).slice(0, -1);
      assert(whole.length > 1, "each partition has several");
      assert(whole.every(({ bytes }) => bytes > MAX_BATCH_BYTES - MAX_RECORD_BYTES), "none is cut too small");
    }
    const requestBytes = requests.map((each) => each.reduce((sum, { bytes }) => sum + bytes, 0));
    assert(Math.max(...requestBytes) > 2 * MAX_BATCH_BYTES, "the bound is each partition's own");
    const stored = (await topic.records()).map(({ value }) => value);
    assertEquals(stored.toSorted(), records.map(({ value }) => value).toSorted());
  },
);
