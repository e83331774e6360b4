/**
 * A broker, or a node, that stands still under full load: what the gateway holds is bounded, clients are told when to
 * come again, and what they were acknowledged is stored once the peer goes on.
 *
 * @module
 */
import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import { KafkaBroker } from "../services/kafka.ts";
import { startOpenSearch } from "../services/opensearch.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import * as search from "./elasticsearch_gateway.ts";
import { hammer, peakWhile, poolConfig, RECORDS_PER_BODY } from "./hammer.ts";
import * as kafka from "./kafka_gateway.ts";
import { KafkaTopic } from "./kafka_topic.ts";
import { SearchIndex } from "./search_index.ts";

/** Long enough for thousands of requests to be refused, whose remains would add up. */
const SILENCE_MS = 12_000;
const SAMPLE_MS = 50;
const MIB = 1024 * 1024;
const POOL_BYTES = 32 * MIB;
/**
 * Beside the pool: what is encoded of the batches in flight, and what requests leave until the collector comes. These are
 * 80 MB a second here, more than a gateway gets whose clients do as they are told.
 */
const BESIDE_BYTES = 224 * MIB;
/** By so much may the second half of the silence be above the first: steps of the heap, and not a leak of any part. */
const STEP_BYTES = 48 * MIB;

/** Largest resident memory of `gateway` in the next `durationMs`. */
async function peakOver(gateway: GatewayProcess, durationMs: number): Promise<number> {
  const endMs = performance.now() + durationMs;
  return await peakWhile(gateway, () => performance.now() < endMs);
}

/** Stops `peer` under full load, lets it go on, and resolves to what was accepted. */
async function silence(
  gateway: GatewayProcess,
  peer: { signal(signal: Deno.Signal): void },
  path: string,
  sink: string,
): Promise<number> {
  const idle = gateway.program.usage().rssBytes;
  const stop = new AbortController();
  const hammered = hammer(gateway, path, stop.signal);
  const delivered = () => gateway.metric("weir_sink_records_total", { sink, outcome: "delivered" });
  while (await delivered() < 20 * RECORDS_PER_BODY) await delay(SAMPLE_MS);
  peer.signal("SIGSTOP");
  const first = await peakOver(gateway, SILENCE_MS / 2) - idle;
  const second = await peakOver(gateway, SILENCE_MS / 2) - idle;
  peer.signal("SIGCONT");
  stop.abort();
  await hammered.done;
  const { accepted, refused } = hammered;
  const mib = [idle, first, second].map((bytes) => Math.round(bytes / MIB));
  console.log(
    `${accepted} accepted, ${refused} bodies refused; idle ${mib[0]} MiB, then ${mib[1]}, ${mib[2]} more`,
  );
  assert(refused > 1000, "clients were refused");
  assert(Math.max(first, second) <= POOL_BYTES + BESIDE_BYTES, "what is held is bounded");
  assert(second - first <= STEP_BYTES, "it does not grow with the silence");
  return accepted;
}

requires("kafka", "kcat", "mvn").test(
  "a kafka sink whose broker answers nothing holds a bounded memory, and stores all that was acked when it does",
  async () => {
    await using broker = await KafkaBroker.start();
    await using topic = await KafkaTopic.create(broker.address, 4);
    const sink = { type: "kafka", brokers: [broker.address], topic: topic.name, requestTimeoutMs: 2000 };
    await using gateway = await GatewayProcess.start(poolConfig("events", sink, POOL_BYTES));
    const accepted = await silence(gateway, broker, "/v1/streams/events", "out");
    await kafka.delivered(gateway, accepted, "out");
    await kafka.assertNumbers(topic, accepted);
  },
);

requires("searchCluster", "mvn").test(
  "an elasticsearch sink whose node answers nothing holds a bounded memory, and stores all that was acked when it does",
  async () => {
    await using node = await startOpenSearch();
    const index = await SearchIndex.create(node.url, search.NUMBERED);
    const sink = { ...search.searchSink(index), timeoutMs: 2000 };
    await using gateway = await GatewayProcess.start(poolConfig("docs", sink, POOL_BYTES));
    const accepted = await silence(gateway, node, "/v1/streams/docs", "out");
    await search.assertNumbers(index, accepted);
  },
);
