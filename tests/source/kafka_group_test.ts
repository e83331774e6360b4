/** Gateways of one group as processes: one that joins and leaves, one that is killed. @module */
import { assert, assertEquals } from "@std/assert";
import { KafkaBroker } from "../services/kafka.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { SourceStage } from "./source_stage.ts";

const kafka = requires("kafka");
/** So that a member is given up after seconds, and a rebalance takes few. */
const SETTINGS = {
  "group.consumer.min.session.timeout.ms": "3000",
  "group.consumer.session.timeout.ms": "6000",
  "group.consumer.min.heartbeat.interval.ms": "500",
  "group.consumer.heartbeat.interval.ms": "500",
};
const PARTITIONS = 8;

async function startGateway(stage: SourceStage, limit?: object): Promise<GatewayProcess> {
  const { sources } = stage.config({ source: { commitMs: 200 } }) as { readonly sources: object };
  return await GatewayProcess.start({
    streams: { events: { sinks: ["out"] } },
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

async function sendNumbers(stage: SourceStage, count: number): Promise<void> {
  const pad = "x".repeat(200);
  const all = Array.from(
    { length: count },
    (_, n) => ({ partition: n % PARTITIONS, value: JSON.stringify({ n, pad }) }),
  );
  await stage.send(all);
}

async function untilCommitted(stage: SourceStage, perPartition: number): Promise<void> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  await stage.until(
    async () => (await stage.committed(partitions)).every((offset) => offset === perPartition),
    "all is committed",
  );
}

kafka.test("a group of gateways stores 200,000 records while one joins and leaves: none is missing", async () => {
  await using broker = await KafkaBroker.start({ settings: SETTINGS });
  await using stage = await SourceStage.open(PARTITIONS, broker.address);
  await sendNumbers(stage, 200_000);
  const limit = { recordsPerSecond: 25_000 };
  await using first = await startGateway(stage, limit);
  await using second = await startGateway(stage, limit);
  await stage.until(
    async () => await second.metric("weir_source_partitions") > 0,
    "the second one has partitions",
  );
  await stage.until(async () => await second.metric("weir_source_records_total") > 5000, "it reads them");
  assertEquals(await second.stop(), 0);
  await untilCommitted(stage, 25_000);
  const stored = [...await numbersIn(first), ...await numbersIn(second)];
  const distinct = new Set(stored).size;
  console.log(`200000 sent, ${distinct} stored, ${stored.length - distinct} twice`);
  assertEquals(distinct, 200_000);
  // At the join the first one lets go of what it has in flight: no more than its buffers hold.
  assert(stored.length - distinct < 60_000);
});

kafka.test("a gateway that is killed misses nothing, and repeats no more than what was in flight", async () => {
  await using broker = await KafkaBroker.start({ settings: SETTINGS });
  await using stage = await SourceStage.open(PARTITIONS, broker.address);
  await sendNumbers(stage, 100_000);
  const limit = { recordsPerSecond: 25_000 };
  await using first = await startGateway(stage, limit);
  await stage.until(
    async () => await first.metric("weir_sink_records_total", { outcome: "delivered" }) > 30_000,
    "it stores",
  );
  first.program.signal("SIGKILL");
  await first.program.exit(10_000);
  await using second = await startGateway(stage);
  await untilCommitted(stage, 12_500);
  const stored = [...await numbersIn(first), ...await numbersIn(second)];
  const distinct = new Set(stored).size;
  console.log(`100000 sent, ${distinct} stored, ${stored.length - distinct} twice`);
  assertEquals(distinct, 100_000);
  // What was fetched of eight partitions, 1 MiB each and 220 bytes a record, and a commit interval.
  assert(stored.length - distinct < 50_000);
});
