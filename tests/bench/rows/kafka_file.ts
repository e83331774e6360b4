/**
 * Kafka into a file, against a consumer of the same client library that writes the same file. Both read a topic that was
 * filled before, by turns; the clock runs while the file grows, from the first record to the last.
 *
 * @module
 */
import { KafkaAdmin } from "../../services/kafka_admin.ts";
import { KafkaBroker } from "../../services/kafka.ts";
import { V8_FLAGS } from "../../../src/v8_flags.ts";
import { GatewayProcess } from "../../support/gateway_process.ts";
import { Program } from "../../support/process.ts";
import { median } from "../compare.ts";
import type { Row } from "../row.ts";
import { WorkerSide } from "../sides.ts";

const TOPIC = "t";
const PARTITIONS = 8;
const RECORD_BYTES = 512;
const RECORDS = 500_000;
const FILE_BYTES = RECORDS * (RECORD_BYTES + 1);
/** Pairs; each reads the whole topic twice. */
const ROUNDS = 6;
const DEADLINE_MS = 120_000;
const LOOK_MS = 5;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Seconds from the first record in `path` to the last. */
async function secondsToFill(path: string, program: Program): Promise<number> {
  const deadline = performance.now() + DEADLINE_MS;
  let startMs = 0;
  for (;;) {
    const size = sizeOf(path);
    const now = performance.now();
    if (startMs === 0 && size > 0) startMs = now;
    if (size >= FILE_BYTES) return (now - startMs) / 1000;
    if (now > deadline) throw new Error(program.describe(`the file has ${size} of ${FILE_BYTES} bytes`));
    await pause(LOOK_MS);
  }
}

async function fill(broker: string): Promise<void> {
  await using producer = await WorkerSide.start("kafka_send", [broker, TOPIC, String(RECORD_BYTES)]);
  const { work } = await producer.run({ batch: 5000, seconds: 60, records: RECORDS });
  if (work !== RECORDS) throw new Error(`the topic was filled with ${work} records, not ${RECORDS}`);
}

/** Seconds and CPU-seconds of one reading of the topic. */
interface Reading {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

async function byGateway(broker: string, groupId: string, folder: string): Promise<Reading> {
  const path = `${folder}/${groupId}`;
  await using gateway = await GatewayProcess.start({
    streams: { s: { sinks: ["f"], validate: "none" } },
    sinks: { f: { type: "file", path } },
    sources: { k: { type: "kafka", brokers: [broker], topics: [TOPIC], groupId, stream: "s" } },
  });
  const seconds = await secondsToFill(path, gateway.program);
  return { seconds, cpuSeconds: gateway.program.usage().cpuSeconds };
}

async function byProgram(broker: string, groupId: string, folder: string): Promise<Reading> {
  const path = `${folder}/${groupId}`;
  const script = new URL("../yardsticks/kafka_to_file.ts", import.meta.url).pathname;
  await using program = new Program(Deno.execPath(), {
    args: ["run", "-A", V8_FLAGS, script, broker, TOPIC, groupId, path],
  });
  const seconds = await secondsToFill(path, program);
  return { seconds, cpuSeconds: program.usage().cpuSeconds };
}

/** Records per second out of Kafka. */
export const kafkaFile: Row = {
  name: "kafka-file",
  async run() {
    await using broker = await KafkaBroker.start();
    await using admin = new KafkaAdmin(broker.address);
    await admin.createTopic(TOPIC, PARTITIONS);
    await fill(broker.address);
    const folder = await Deno.makeTempDir({ prefix: "weir_kafka_file_" });
    try {
      const ratios: number[] = [];
      const perCpu: number[] = [];
      const rates: number[] = [];
      const yardstickRates: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const subject = () => byGateway(broker.address, `gateway-${round}`, folder);
        const yardstick = () => byProgram(broker.address, `program-${round}`, folder);
        const isFirst = round % 2 === 0;
        const first = await (isFirst ? subject() : yardstick());
        const second = await (isFirst ? yardstick() : subject());
        const [ours, theirs] = isFirst ? [first, second] : [second, first];
        ratios.push(theirs.seconds / ours.seconds);
        perCpu.push(theirs.cpuSeconds / ours.cpuSeconds);
        rates.push(RECORDS / ours.seconds);
        yardstickRates.push(RECORDS / theirs.seconds);
      }
      return [{
        name: "Kafka to file, 512 B, fsync",
        goal: { kind: "atLeast", value: 0.8, unit: "×" },
        value: median(ratios),
        perCpu: median(perCpu),
        min: Math.min(...ratios),
        max: Math.max(...ratios),
        samples: ROUNDS,
        detail: {
          "records/s": Math.round(median(rates)),
          "yardstick records/s": Math.round(median(yardstickRates)),
        },
      }];
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};
