/**
 * NDJSON over HTTP into Kafka, against a program that sends the same records by the same client library. Its batches
 * are as large as the mean batch that the sink wrote in the slice before, so both ask the broker equally often.
 *
 * @module
 */
import { KafkaAdmin } from "../../services/kafka_admin.ts";
import { KafkaBroker } from "../../services/kafka.ts";
import { jsonLines } from "../bodies.ts";
import { compare, ratioOf } from "../compare.ts";
import { producerPerfTest } from "../kafka_perf_test.ts";
import type { Result, Row } from "../row.ts";
import { WorkerSide, WritingSide } from "../sides.ts";

const LINES = 200;
const RECORD_BYTES = 512;
const BODY = jsonLines(LINES, RECORD_BYTES);
const PARTITIONS = 8;
const TRANSACTION_RECORDS = 10_000;
const FIRST_BATCH = 1_000;
/** Old segments go, so that a run does not fill the disk. */
const TOPIC = { "retention.bytes": "67108864", "segment.bytes": "33554432" };
const BROKER = { "log.retention.check.interval.ms": "2000", "log.segment.delete.delay.ms": "500" };

function gatewaySide(
  broker: string,
  topic: string,
  sink: Readonly<Record<string, unknown>>,
): Promise<WritingSide> {
  const request = { path: "/v1/streams/s", contentType: "application/x-ndjson", body: BODY };
  return WritingSide.start({
    config: {
      streams: { s: { sinks: ["k"], validate: "none" } },
      sinks: { k: { type: "kafka", brokers: [broker], topic, ...sink } },
    },
    sink: "k",
    load: { requests: [request], connections: 128 },
    workPerRequest: LINES,
    workPerWrite: FIRST_BATCH,
  });
}

interface KafkaSpec {
  readonly name: string;
  readonly title: string;
  readonly sink: Readonly<Record<string, unknown>>;
  /** Arguments of the yardstick behind the size of a record. */
  readonly args: readonly string[];
  /** Records of the yardstick's batches; those of the sink's in the slice before, where not given. */
  readonly batchRecords?: number;
  /** Whether the CPU time, and the JVM's own tool, are told too. */
  readonly isMain: boolean;
}

function kafkaRow({ name, title, sink, args, batchRecords, isMain }: KafkaSpec): Row {
  return {
    name,
    async run(options) {
      await using broker = await KafkaBroker.start({ settings: BROKER });
      await using admin = new KafkaAdmin(broker.address);
      for (const topic of ["subject", "yardstick"]) await admin.createTopic(topic, PARTITIONS, TOPIC);
      await using subject = await gatewaySide(broker.address, "subject", sink);
      await using yardstick = await WorkerSide.start(
        "kafka_send",
        [broker.address, "yardstick", String(RECORD_BYTES), ...args],
        () => ({ batch: batchRecords ?? subject.workPerWrite }),
      );
      const comparison = await compare(subject, yardstick, options);
      const jvm: Record<string, number> = {};
      if (isMain) {
        jvm["JVM perf-test records/s"] = await producerPerfTest(broker.address, "yardstick", RECORD_BYTES);
      }
      const samples = options.slices;
      const results: Result[] = [ratioOf(comparison, {
        name: title,
        leastRatio: 0.85,
        unit: "records",
        samples,
        detail: { "records per write": subject.workPerWrite, ...jvm },
      })];
      if (isMain) {
        const cpu = 1 / comparison.perCpuRatio;
        results.push({
          name: `${title}: CPU per record`,
          goal: { kind: "atMost", value: 1.5, unit: "×" },
          value: cpu,
          min: cpu,
          max: cpu,
          samples,
          detail: {},
        });
      }
      return results;
    },
  };
}

/** Records into Kafka, and the same in transactions. */
export const kafkaRows: readonly Row[] = [
  kafkaRow({
    name: "kafka",
    title: "HTTP NDJSON to Kafka, 512 B, acks all, idempotent",
    sink: {},
    args: [],
    isMain: true,
  }),
  kafkaRow({
    name: "kafka-transactions",
    title: `HTTP NDJSON to Kafka in transactions of ${TRANSACTION_RECORDS}`,
    sink: {
      transactional: true,
      createTopics: true,
      batch: { maxRecords: TRANSACTION_RECORDS, maxBytes: 8_388_608, lingerMs: 50 },
    },
    args: ["yardstick"],
    batchRecords: TRANSACTION_RECORDS,
    isMain: false,
  }),
];
