/** A sink is given other options by SIGHUP while it writes: what was acknowledged is stored, and each record once. @module */
import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import { sharedKafka } from "../services/kafka.ts";
import { sharedOpenSearch } from "../services/opensearch.ts";
import type { GatewayProcess, RawConfig } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import type { GatewaySnapshot } from "../../src/monitor/view.ts";
import * as search from "./elasticsearch_gateway.ts";
import * as kafka from "./kafka_gateway.ts";
import { KafkaTopic } from "./kafka_topic.ts";
import { SearchIndex } from "./search_index.ts";

const RELOAD_DEADLINE_MS = 60_000;
/** A moment with a write in flight comes many times a second under load. */
const BUSY_DEADLINE_MS = 30_000;
const KAFKA_RECORDS = 60_000;
const DOCUMENTS = 8_000;

/** Each with what it has before, so that a reload opens the sink anew every time. */
const KAFKA_OPTIONS: readonly RawConfig[] = [
  { compression: "lz4" },
  { batch: { maxRecords: 100 } },
  { parallelism: 2 },
  { parallelism: 1, maxBatchBytes: 100_000 },
  { clientId: "another" },
  { compression: "none", batch: { maxRecords: 1000 } },
];
const SEARCH_OPTIONS: readonly RawConfig[] = [
  { batch: { maxRecords: 100 } },
  { parallelism: 3 },
  { timeoutMs: 20_000, batch: { maxRecords: 250 } },
  { parallelism: 1 },
];

async function topology(gateway: GatewayProcess): Promise<GatewaySnapshot> {
  return await gateway.admin("/api/v1/topology") as GatewaySnapshot;
}

/** Gives the one sink `options` once a write is in flight, and waits until the gateway says that it has. */
async function reloadWhileWriting(gateway: GatewayProcess, options: RawConfig): Promise<void> {
  const config = JSON.parse(await Deno.readTextFile(gateway.configPath));
  const [name] = Object.keys(config.sinks);
  config.sinks[name] = { ...config.sinks[name], ...options };
  await Deno.writeTextFile(gateway.configPath, JSON.stringify(config));
  const before = reloads(gateway);
  await gateway.program.waitUntil(
    async () => (await topology(gateway)).sinks[0].inFlightBatches > 0,
    BUSY_DEADLINE_MS,
    "a write is in flight",
  );
  gateway.program.signal("SIGHUP");
  await gateway.program.waitUntil(
    () => reloads(gateway) > before,
    RELOAD_DEADLINE_MS,
    `it took ${JSON.stringify(options)}`,
  );
}

function reloads(gateway: GatewayProcess): number {
  return (gateway.program.stdout + gateway.program.stderr).split('"message":"config is reloaded"').length;
}

/** Reloads with one after the other of `each` while `posting` goes on; at least the first meet records on their way. */
async function reloadThrough(
  gateway: GatewayProcess,
  each: readonly RawConfig[],
  posting: Promise<unknown>,
  sink: string,
  records: number,
): Promise<void> {
  for (const [k, options] of each.entries()) {
    await reloadWhileWriting(gateway, options);
    const until = records * (k + 1) / (each.length + 2);
    while (await gateway.metric("weir_sink_records_total", { sink, outcome: "delivered" }) < until) {
      await delay(20);
    }
  }
  await posting;
}

requires("kafka", "kcat").test(
  "a reload that changes a kafka sink under load loses nothing, and stores each record once and in order",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka(), 4);
    await using gateway = await kafka.startGateway(topic, {
      batch: { maxRecords: 500 },
      limit: { recordsPerSecond: 15_000, burstRecords: 500 },
    });
    const posting = kafka.postNumbers(gateway, 0, KAFKA_RECORDS);
    await reloadThrough(gateway, KAFKA_OPTIONS, posting, "kafka", KAFKA_RECORDS);
    await kafka.delivered(gateway, KAFKA_RECORDS);
    await kafka.assertNumbers(topic, KAFKA_RECORDS);
    assert((await topology(gateway)).draining.length === 0, "no sink is left over");
  },
);

requires("searchCluster").test(
  "a reload that changes an elasticsearch sink under load loses nothing, and stores each document once",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch(), search.NUMBERED);
    await using gateway = await search.startGateway(index, {
      limit: { recordsPerSecond: 1500, burstRecords: 250 },
    });
    const posting = search.postNumbers(gateway, 0, DOCUMENTS);
    await reloadThrough(gateway, SEARCH_OPTIONS, posting, "search", DOCUMENTS);
    await search.assertNumbers(index, DOCUMENTS);
    assert((await topology(gateway)).draining.length === 0, "no sink is left over");
  },
);
