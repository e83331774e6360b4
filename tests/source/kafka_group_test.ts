/** Gateways of one group as processes: one that joins and leaves, one that is killed. @module */
import { assert, assertEquals } from "@std/assert";
import type { GatewaySnapshot } from "../../src/monitor/view.ts";
import { KafkaBroker } from "../services/kafka.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { SourceStage } from "./source_stage.ts";

const kafka = requires("kafka");
/**
 * So that a rebalance takes few seconds, and a member that is killed is given up soon; not one that gets no processor for
 * some seconds, which reads again what it has not committed.
 */
const SETTINGS = {
  "group.consumer.min.session.timeout.ms": "3000",
  "group.consumer.session.timeout.ms": "15000",
  "group.consumer.min.heartbeat.interval.ms": "500",
  "group.consumer.heartbeat.interval.ms": "500",
};
const PARTITIONS = 8;
const MAX_SEGMENTS = 256;
const SEGMENT_BYTES = 32_768;
/** Least that a record takes of a segment. */
const RECORD_BYTES = 220;
/** In this time a gateway stores less than what its stream holds. */
const SNAPSHOT_MS = 1000;
const ALL_PARTITIONS = Array.from({ length: PARTITIONS }, (_, partition) => partition);

async function startGateway(stage: SourceStage, limit?: object): Promise<GatewayProcess> {
  const { sources } = stage.config({ source: { commitMs: 200 } }) as { readonly sources: object };
  return await GatewayProcess.start({
    streams: { events: { sinks: ["out"], maxSegments: MAX_SEGMENTS } },
    sinks: { out: { type: "file", path: "out.ndjson", fsync: false, ...limit && { limit } } },
    sources,
  });
}

async function numbersIn(gateway: GatewayProcess): Promise<number[]> {
  const text = await Deno.readTextFile(`${gateway.folder}/out.ndjson`);
  // A line that a kill cut short was not acked.
  return text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter((line) => line !== "")
    .map((line) => JSON.parse(line).n as number);
}

/** Offsets at which `gateway` began to read each partition, one after the other, by its log. */
function beginsOf(gateway: GatewayProcess): Map<number, number[]> {
  const begins = new Map<number, number[]>();
  const log = gateway.program.stdout + gateway.program.stderr;
  for (const line of log.split("\n").filter((each) => each.includes("reads a partition"))) {
    const { partition, offset } = JSON.parse(line);
    begins.set(partition, [...begins.get(partition) ?? [], offset]);
  }
  return begins;
}

/** Offset behind all that `gateway`, which has begun so, stored of each of its partitions. */
async function endsOf(gateway: GatewayProcess, begins: Map<number, number[]>): Promise<Map<number, number>> {
  const ends = new Map([...begins].map(([partition, offsets]) => [partition, Math.max(...offsets)]));
  for (const n of await numbersIn(gateway)) {
    const partition = n % PARTITIONS;
    ends.set(partition, Math.max(ends.get(partition)!, offsetOf(n) + 1));
  }
  return ends;
}

async function sendNumbers(stage: SourceStage, count: number, from = 0): Promise<void> {
  const pad = "x".repeat(200);
  const all = Array.from(
    { length: count },
    (_, i) => ({ partition: (from + i) % PARTITIONS, value: JSON.stringify({ n: from + i, pad }) }),
  );
  await stage.send(all);
}

/** Place of number `n` in its partition. */
function offsetOf(n: number): number {
  return Math.floor(n / PARTITIONS);
}

async function untilCommitted(stage: SourceStage, perPartition: number): Promise<void> {
  await stage.until(
    async () => (await stage.committed(ALL_PARTITIONS)).every((offset) => offset === perPartition),
    "all is committed",
  );
}

kafka.test("a group of gateways stores 200,000 records while one joins and leaves: none is missing", async () => {
  await using broker = await KafkaBroker.start({ settings: SETTINGS });
  await using stage = await SourceStage.open(PARTITIONS, broker.address);
  await sendNumbers(stage, 150_000);
  const limit = { recordsPerSecond: 25_000 };
  await using first = await startGateway(stage, limit);
  await using second = await startGateway(stage, limit);
  await stage.until(
    async () => await second.metric("weir_source_partitions") > 0,
    "the second one has partitions",
  );
  // On a busy machine the first one may be done before the second one is there.
  await sendNumbers(stage, 50_000, 150_000);
  await stage.until(async () => await second.metric("weir_source_records_total") > 5000, "it reads them");
  assertEquals(await second.stop(), 0);
  const atLeave = await stage.committed(ALL_PARTITIONS);
  await untilCommitted(stage, 25_000);
  const stored = [...await numbersIn(first), ...await numbersIn(second)];
  assertEquals(new Set(stored).size, 200_000, "none is missing");
  const seen = new Set<number>();
  const repeats = stored.filter((n) => seen.has(n) || void seen.add(n));
  console.log(`200000 sent, ${repeats.length} twice`);
  // What the first one had committed when the second one got a partition is where that one began.
  const begun = beginsOf(second);
  assert(repeats.every((n) => offsetOf(n) >= (begun.get(n % PARTITIONS)?.[0] ?? Infinity)));
  // What the second one stored it had committed when it left, and the first one went on behind that.
  const left = await endsOf(second, begun);
  const lastBegin = (partition: number) => beginsOf(first).get(partition)?.at(-1) ?? 0;
  await stage.until(
    () => [...left].every(([partition, end]) => lastBegin(partition) >= end),
    "the first one has gone on behind the second one with all of them",
  );
  for (const [partition, end] of left) {
    assert(
      atLeave[partition] >= end,
      `of ${end} records of partition ${partition} ${atLeave[partition]} are committed`,
    );
  }
  // That was half of the partitions. What it stored of them all the same is what it held, and what it had stored in a
  // commit's time, which is less than the other half of what it can hold.
  assert(repeats.length <= MAX_SEGMENTS * SEGMENT_BYTES / RECORD_BYTES);
});

/** Kills `gateway`, and tells what its source had fetched: before its end it stored only of that, which is work for seconds. */
async function killed(gateway: GatewayProcess): Promise<GatewaySnapshot["sources"][number]> {
  for (;;) {
    const startMs = performance.now();
    const { sources } = await gateway.admin("/api/v1/topology") as Pick<GatewaySnapshot, "sources">;
    // It has fetched more meanwhile where this test, or the answer, had to wait for a processor.
    if (performance.now() - startMs > SNAPSHOT_MS) continue;
    gateway.program.signal("SIGKILL");
    await gateway.program.exit(60_000);
    return sources[0];
  }
}

kafka.test("a gateway that is killed misses nothing, and repeats what was in flight and nothing that was committed", async () => {
  await using broker = await KafkaBroker.start({ settings: SETTINGS });
  await using stage = await SourceStage.open(PARTITIONS, broker.address);
  await sendNumbers(stage, 100_000);
  await using first = await startGateway(stage, { recordsPerSecond: 10_000, burstRecords: 1000 });
  await stage.until(
    async () => await first.metric("weir_sink_records_total", { outcome: "delivered" }) > 20_000,
    "it stores",
  );
  const atKill = await killed(first);
  const committed = await stage.committed(ALL_PARTITIONS);
  const positions = ALL_PARTITIONS.map((each) =>
    atKill.partitions.find(({ partition }) => partition === each)!.position
  );
  await using second = await startGateway(stage);
  await untilCommitted(stage, 12_500);
  const [before, after] = [await numbersIn(first), await numbersIn(second)];
  assertEquals(new Set([...before, ...after]).size, 100_000, "none is missing");
  const uncommitted = Array.from({ length: 100_000 }, (_, n) => n)
    .filter((n) => offsetOf(n) >= committed[n % PARTITIONS]);
  assertEquals(after.toSorted((a, b) => a - b), uncommitted, "what is not committed is read again, and once");
  const storedBefore = new Set(before);
  assertEquals(storedBefore.size, before.length);
  const repeats = after.filter((n) => storedBefore.has(n));
  const inFlight = atKill.takenRecords - committed.reduce((sum, offset) => sum + offset, 0);
  console.log(`100000 sent, ${repeats.length} twice, of ${inFlight} that had entered and were not committed`);
  assert(repeats.length <= inFlight);
  assert(repeats.every((n) => offsetOf(n) < positions[n % PARTITIONS]), "none that had not been fetched");
});
