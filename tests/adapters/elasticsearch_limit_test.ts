/** A static limit before a real node for half a minute: at the gateway's starts of writes, and as the node counts. @module */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { requires } from "../support/requirements.ts";
import { recordsOf, WatchedGateway, type WriteStart } from "./elasticsearch_watched.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

const RECORDS_PER_SECOND = 2_000;
const BURST_RECORDS = 500;
const BATCH_RECORDS = 250;
const WRITES_IN_FLIGHT = 4;
const SECONDS = 30;
/** Of what the rate gives, so much is used. */
const LEAST_USED = 0.98;
/** A machine or a node that stands still for a second uses up less: it is measured again, so often at most. */
const MEASUREMENTS = 3;
/** Between the bucket and the note of a write may lie a collection of garbage. Less than a batch, so that none hides in it. */
const NOTED_LATE_MS = 50;

/** What the node had counted at some moment between the two times. */
interface NodeCount {
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  readonly documents: number;
}

function allowed(ms: number): number {
  return RECORDS_PER_SECOND * ms / 1000 + BURST_RECORDS;
}

async function documentsCounted(index: SearchIndex): Promise<NodeCount> {
  const askedAtMs = performance.now();
  const { _all } = await askCluster(index.url, "GET", `/${index.name}/_stats/indexing`) as {
    _all: { primaries: { indexing: { index_total: number } } };
  };
  const documents = _all.primaries.indexing.index_total;
  return { askedAtMs, answeredAtMs: performance.now(), documents };
}

async function countEachSecond(index: SearchIndex, signal: AbortSignal): Promise<NodeCount[]> {
  const counts: NodeCount[] = [];
  while (!signal.aborted) {
    counts.push(await documentsCounted(index));
    await delay(1000);
  }
  return counts;
}

function assertStarts(starts: readonly WriteStart[]): void {
  for (let from = 0; from < starts.length; from++) {
    let records = 0;
    for (let to = from; to < starts.length; to++) {
      records += starts[to].records;
      const ms = starts[to].atMs - starts[from].atMs;
      const most = allowed(ms + NOTED_LATE_MS);
      assert(records <= most, `${records} records were started in ${ms} ms, which allow ${most}`);
    }
  }
}

function assertCounts(counts: readonly NodeCount[]): void {
  for (let from = 0; from < counts.length; from++) {
    for (let to = from + 1; to < counts.length; to++) {
      const ms = counts[to].answeredAtMs - counts[from].askedAtMs;
      const documents = counts[to].documents - counts[from].documents;
      const most = allowed(ms + NOTED_LATE_MS) + WRITES_IN_FLIGHT * BATCH_RECORDS;
      assert(documents <= most, `${documents} documents reached the node in ${ms} ms, which allow ${most}`);
    }
  }
}

/** Writes as fast as the limit lets it, which it must never pass; returns the part of it that was used. */
async function measure(): Promise<number> {
  await using index = await SearchIndex.create(await sharedOpenSearch());
  await using gateway = await WatchedGateway.start(index, ["docs"], {
    limit: { recordsPerSecond: RECORDS_PER_SECOND, burstRecords: BURST_RECORDS },
    batch: { maxRecords: BATCH_RECORDS },
    control: { kind: "static", initial: WRITES_IN_FLIGHT },
  });
  // The senders stop a second later, so that the half minute has them throughout.
  const over = AbortSignal.timeout((SECONDS + 1) * 1000);
  const [posted, counts] = await Promise.all([
    gateway.post("docs", () => !over.aborted),
    countEachSecond(index, over),
  ]);

  assertStarts(gateway.starts);
  assertCounts(counts);
  assertEquals(recordsOf(gateway.starts), posted, "each record was written once");
  assertEquals(await index.count(), posted, "and stored once");
  const endMs = gateway.starts[0].atMs + SECONDS * 1000;
  const started = recordsOf(gateway.starts.filter(({ atMs }) => atMs <= endMs)) - BURST_RECORDS;
  return started / (RECORDS_PER_SECOND * SECONDS);
}

requires("searchCluster").test(
  `elasticsearch sink with a limit of ${RECORDS_PER_SECOND} records/s stays within it for ${SECONDS} s, in any window, and uses it up`,
  async () => {
    let used = 0;
    for (let n = 0; n < MEASUREMENTS && used < LEAST_USED; n++) used = Math.max(used, await measure());
    assert(used >= LEAST_USED, `${used} of what the rate gives was started beyond the burst`);
  },
);
