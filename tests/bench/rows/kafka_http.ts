/**
 * NDJSON over HTTP into Kafka, against a program that sends the same records by the same client library. Its batches
 * are as large as the mean batch that the sink wrote in the slice before, so both ask the broker equally often.
 *
 * @module
 */
import { KafkaAdmin } from "../../services/kafka_admin.ts";
import { KafkaBroker } from "../../services/kafka.ts";
import { GatewayProcess } from "../../support/gateway_process.ts";
import { freePort } from "../../support/ports.ts";
import type { Program } from "../../support/process.ts";
import { jsonLines } from "../bodies.ts";
import { compare, type Side, type Slice } from "../compare.ts";
import { producerPerfTest } from "../kafka_perf_test.ts";
import type { Result, Row } from "../row.ts";
import { startYardstick } from "../sides.ts";
import { WrkLoad } from "../wrk.ts";

const LINES = 200;
const RECORD_BYTES = 512;
const BODY = jsonLines(LINES, RECORD_BYTES);
const PARTITIONS = 8;
const TRANSACTION_RECORDS = 10_000;
const FIRST_BATCH = 1_000;
/** Old segments go, so that a run does not fill the disk. */
const TOPIC = { "retention.bytes": "67108864", "segment.bytes": "33554432" };
const BROKER = { "log.retention.check.interval.ms": "2000", "log.segment.delete.delay.ms": "500" };

class GatewaySide implements Side {
  /** Mean records per write of the sink in the last slice. */
  batchRecords = FIRST_BATCH;
  readonly #gateway: GatewayProcess;
  readonly #load: WrkLoad;

  constructor(gateway: GatewayProcess, load: WrkLoad) {
    this.#gateway = gateway;
    this.#load = load;
  }

  static async start(
    broker: string,
    topic: string,
    sink: Readonly<Record<string, unknown>>,
  ): Promise<GatewaySide> {
    const gateway = await GatewayProcess.start({
      streams: { s: { sinks: ["k"], validate: "none" } },
      sinks: { k: { type: "kafka", brokers: [broker], topic, ...sink } },
    });
    const request = { path: "/v1/streams/s", contentType: "application/x-ndjson", body: BODY };
    return new GatewaySide(gateway, await WrkLoad.create({ requests: [request], connections: 128 }));
  }

  async measure(seconds: number): Promise<Slice> {
    const writesBefore = await this.#gateway.metric("weir_sink_write_seconds_count", { sink: "k" });
    const cpuBefore = this.#gateway.program.usage().cpuSeconds;
    const summary = await this.#load.run(this.#gateway.url, seconds);
    const cpuSeconds = this.#gateway.program.usage().cpuSeconds - cpuBefore;
    const writes = await this.#gateway.metric("weir_sink_write_seconds_count", { sink: "k" }) - writesBefore;
    if (summary.refusals + summary.failures > 0) {
      const { answers, refusals, failures } = summary;
      throw new Error(
        this.#gateway.program.describe(`of ${answers} answers ${refusals} were refusals, ${failures} failed`),
      );
    }
    const work = summary.answers * LINES;
    if (writes > 0) this.batchRecords = Math.max(1, Math.round(work / writes));
    return { work, seconds: summary.seconds, cpuSeconds };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
    await this.#gateway[Symbol.asyncDispose]();
  }
}

class ProgramSide implements Side {
  readonly #program: Program;
  readonly #port: number;
  readonly #batchRecords: () => number;

  constructor(program: Program, port: number, batchRecords: () => number) {
    this.#program = program;
    this.#port = port;
    this.#batchRecords = batchRecords;
  }

  static async start(args: readonly string[], batchRecords: () => number): Promise<ProgramSide> {
    const port = freePort();
    return new ProgramSide(await startYardstick("kafka_send", port, args), port, batchRecords);
  }

  async measure(seconds: number): Promise<Slice> {
    const cpuBefore = this.#program.usage().cpuSeconds;
    const query = `batch=${this.#batchRecords()}&seconds=${seconds}`;
    const response = await fetch(`http://127.0.0.1:${this.#port}/?${query}`, { method: "POST" });
    const run: { records: number; seconds: number } = await response.json();
    const cpuSeconds = this.#program.usage().cpuSeconds - cpuBefore;
    return { work: run.records, seconds: run.seconds, cpuSeconds };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
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
      await using subject = await GatewaySide.start(broker.address, "subject", sink);
      await using yardstick = await ProgramSide.start(
        [broker.address, "yardstick", String(RECORD_BYTES), ...args],
        () => batchRecords ?? subject.batchRecords,
      );
      const { ratio, perCpuRatio, min, max, subjectPerSecond, yardstickPerSecond } = await compare(
        subject,
        yardstick,
        options,
      );
      const jvm: Record<string, number> = {};
      if (isMain) {
        jvm["JVM perf-test records/s"] = await producerPerfTest(broker.address, "yardstick", RECORD_BYTES);
      }
      const samples = options.slices;
      const results: Result[] = [{
        name: title,
        goal: { kind: "atLeast", value: 0.85, unit: "×" },
        value: ratio,
        perCpu: perCpuRatio,
        min,
        max,
        samples,
        detail: {
          "records/s": Math.round(subjectPerSecond),
          "yardstick records/s": Math.round(yardstickPerSecond),
          "records per write": subject.batchRecords,
          ...jvm,
        },
      }];
      if (isMain) {
        const cpu = 1 / perCpuRatio;
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
