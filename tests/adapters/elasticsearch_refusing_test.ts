/** What a gateway holds while a real cluster refuses everything, and what it tells clients of the cluster's pace. @module */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { assertNumbers, NUMBERED, searchSink } from "./elasticsearch_gateway.ts";
import { hammer, peakWhile, poolConfig } from "./hammer.ts";
import { SearchIndex } from "./search_index.ts";

const MIB = 1_048_576;
const POOL_BYTES = 16 * MIB;
/** Far more than the pool and what may be beside it, so that a gateway that kept what it refused would be seen. */
const OFFERED_BYTES = 600 * MIB;
/** Beside the pool: what requests leave until the collector comes, of some 80 MB a second here. */
const BESIDE_BYTES = 224 * MIB;
/** By so much may the second half of the refusals be above the first: steps of the heap, and not a leak of any part. */
const STEP_BYTES = 48 * MIB;
const OFFER_DEADLINE_MS = 120_000;

requires("searchCluster").test(
  "Gateway before a cluster that refuses holds no more than its pool, however much several clients offer, and then stores what it took",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch(), NUMBERED);
    // It refuses all for some seconds here, which is else a sink that is down: 503.
    const sink = { ...searchSink(index), downAfterMs: 600_000 };
    await using gateway = await GatewayProcess.start(poolConfig("docs", sink, POOL_BYTES));
    await index.set({ "index.blocks.read_only_allow_delete": true });
    const idle = gateway.program.usage().rssBytes;
    const stop = new AbortController();
    const hammered = hammer(gateway, "/v1/streams/docs", stop.signal);
    const deadlineMs = performance.now() + OFFER_DEADLINE_MS;
    const segments = (pool: string, state: string) => gateway.metric("weir_pool_segments", { pool, state });
    const total = await gateway.metric("weir_pool_bound_segments", { pool: "network", bound: "total" });
    let mostLent = 0;
    const look = async () => {
      mostLent = Math.max(mostLent, await segments("stream:docs", "lent"));
      assert(performance.now() < deadlineMs, `${hammered.offeredBytes} bytes were offered in time`);
    };
    const first = await peakWhile(gateway, () => hammered.offeredBytes < OFFERED_BYTES / 2, look) - idle;
    const second = await peakWhile(gateway, () => hammered.offeredBytes < OFFERED_BYTES, look) - idle;
    const story = `grew by ${Math.round(first / MIB)}, then ${Math.round(second / MIB)} MiB`;
    console.log(`${hammered.refused} bodies refused; ${story} beside ${Math.round(idle / MIB)}`);
    assert(Math.max(first, second) <= POOL_BYTES + BESIDE_BYTES, `what is held is bounded: ${story}`);
    assert(second - first <= STEP_BYTES, `it does not grow with what is offered: ${story}`);
    assert(mostLent > 0.8 * total && mostLent <= total, `${mostLent} of ${total} segments were lent`);
    assertEquals(await gateway.metric("weir_sink_records_total", { outcome: "delivered" }), 0);

    await index.set({ "index.blocks.read_only_allow_delete": null });
    stop.abort();
    await hammered.done;
    assert(hammered.refused > 1000, "clients were refused");
    await assertNumbers(index, hammered.accepted);
    await gateway.program.waitUntil(
      // One is open for the records to come.
      async () => await segments("stream:docs", "lent") <= 1,
      OFFER_DEADLINE_MS,
      "the memory was back",
    );
  },
);

const BULK_DOCUMENTS = 20;
const BODY_DOCUMENTS = 500;
const BODY = `{"text":"${"x".repeat(200)}"}\n`.repeat(BODY_DOCUMENTS);
const WARM_MS = 4_000;
/** So many bodies come, of which a third finds room ... */
const FLOOD = 100;
/** ... one after the other, as the pace of one moment may be that of a machine that just stood still. */
const APART_MS = 30;
/** Between what clients are told and what the cluster's pace gives: it is not the same for two seconds on a busy machine. */
const MARGIN = 3;
/** A machine that stands still in the flood makes another pace, or lets few be refused: it is measured again, so often at most. */
const MEASUREMENTS = 3;

/** What came of a flood. */
class Flood {
  /** Seconds that those who were refused were told. */
  readonly waits: readonly number[];
  readonly #perSecond: number;

  /** `perSecond` documents were stored meanwhile. */
  constructor(waits: readonly number[], perSecond: number) {
    this.waits = waits;
    this.#perSecond = perSecond;
  }

  /** Time that the cluster takes for what was refused. */
  get #dueSeconds(): number {
    return this.waits.length * BODY_DOCUMENTS / this.#perSecond;
  }

  /** Whether many were refused, and what they were told is about what the cluster takes. */
  get isFair(): boolean {
    // The last of them is told this; what all are told is spread evenly up to it, and no more than a minute.
    const dueSeconds = this.#dueSeconds;
    const mean = this.waits.reduce((sum, seconds) => sum + seconds, 0) / this.waits.length;
    return this.waits.length >= FLOOD / 3 && mean >= Math.min(dueSeconds, 60) / 2 / MARGIN &&
      mean <= 1 + dueSeconds / 2 * MARGIN;
  }

  get story(): string {
    const pace = `${this.waits.length} bodies at ${Math.round(this.#perSecond)} documents/s`;
    return `${pace} are ${this.#dueSeconds.toFixed(1)} s, told are ${this.waits}`;
  }
}

/** Floods a gateway of its own that has found the cluster's pace. */
async function flood(): Promise<Flood> {
  await using index = await SearchIndex.create(await sharedOpenSearch());
  // One small bulk at a time: the cluster, and nothing else, says how many a second.
  const sink = {
    ...searchSink(index),
    batch: { maxRecords: BULK_DOCUMENTS },
    control: { kind: "static", initial: 1 },
  };
  await using gateway = await GatewayProcess.start({
    streams: {
      docs: {
        sinks: ["search"],
        maxWaitMs: 50,
        deliverTimeoutMs: 120_000,
        maxRecordBytes: 4000,
        maxSegments: 40,
      },
    },
    sinks: { search: sink },
  });
  const post = async (): Promise<Response> => {
    const response = await fetch(`${gateway.url}/v1/streams/docs`, { method: "POST", body: BODY });
    await response.body?.cancel();
    return response;
  };
  const delivered = () => gateway.metric("weir_sink_records_total", { outcome: "delivered" });
  const warmUntilMs = performance.now() + WARM_MS;
  const fromMs = performance.now();
  await Promise.all([1, 2].map(async () => {
    while (performance.now() < warmUntilMs) assertEquals((await post()).status, 200);
  }));
  const answers = await Promise.all(Array.from({ length: FLOOD }, async (_, n) => {
    await delay(n * APART_MS);
    return await post();
  }));
  const perSecond = await delivered() * 1000 / (performance.now() - fromMs);
  const waits = answers.filter(({ status }) => status === 429)
    .map(({ headers }) => Number(headers.get("retry-after")));
  return new Flood(waits, perSecond);
}

requires("searchCluster").test(
  "Gateway before a cluster tells those whom it refuses to come back when that will have taken what came before, by its pace",
  async () => {
    let told = await flood();
    for (let n = 1; n < MEASUREMENTS && !told.isFair; n++) told = await flood();
    console.log(told.story);
    assert(told.isFair, told.story);
    assert(told.waits.every((seconds) => seconds >= 1 && seconds <= 60), told.story);
    assert(new Set(told.waits).size > 1, `they do not come all at once: ${told.story}`);
  },
);
