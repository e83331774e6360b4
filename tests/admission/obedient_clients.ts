/**
 * A gateway under a manual clock with a sink of known pace and clients that obey: each posts one body over and over,
 * and after a 429 it stays away for as long as `Retry-After` says. Minutes of it pass in a second.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { z } from "zod";
import { allAcked, type Batch, defineSink, type SinkDefinition, type WriteResult } from "../../mod.ts";
import { parseConfig } from "../../src/config.ts";
import type { Exchange } from "../../src/ingress/exchange.ts";
import type { HttpIngress } from "../../src/ingress/http_ingress.ts";
import type { IngestRequest } from "../../src/ingress/ingest_request.ts";
import type { Reply } from "../../src/ingress/replies.ts";
import { Gateway } from "../../src/gateway.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { SimClock } from "../sim/sim_clock.ts";

/** What one read of a socket brings. */
const CHUNK_BYTES = 65_536;
/** Longest that a chunk or an answer travels, ms: the clients are in step, but not to the microsecond. */
const TRAVEL_MS = 2;
/** An adapter's answer is a chain of awaits. */
const MICROTASKS = 12;

const LF = 0x0a;
/** A write of a sink that does not mind how fast they come, ms. */
const BURST_WRITE_MS = 5;

/** What is run. */
export interface ObedientPlan {
  readonly seed: number;
  readonly clients: number;
  readonly bodyBytes: number;
  /** A body is lines of so many bytes; without it, one record. */
  readonly lineBytes?: number;
  /** What the sink takes. */
  readonly recordsPerSecond: number;
  /** It takes so many at once, as fast as they come, and then asks for the pause that makes up for it. */
  readonly burstRecords?: number;
  /** Sections of the config; the one stream is `s`, the one sink `slow` of the type `paced`. */
  readonly buffers: Readonly<Record<string, unknown>>;
  readonly stream: Readonly<Record<string, unknown>>;
  readonly sink?: Readonly<Record<string, unknown>>;
  /** The gateway has nothing to do for so long before they come. */
  readonly idleMs?: number;
  /** Nothing is counted before. */
  readonly warmMs: number;
  readonly runMs: number;
}

/** What the clients and the sink saw after the warm-up. */
export interface ObedientReport {
  /** Records that the sink took, as a part of those that it could have taken. */
  readonly busyShare: number;
  /** Tries of clients that had just waited as told. */
  readonly returned: number;
  /** Of those, the ones that were refused again. */
  readonly refusedAgain: number;
  /** Per client, the longest time without a 2xx, the warm-up and the time to the end included, s. */
  readonly longestWaits: readonly number[];
}

/** Takes a record every so often, or bursts of them, and saves nothing up while it is idle. */
class PacedSink {
  records = 0;
  readonly definition: SinkDefinition;
  #freeAtMs = 0;
  #leftOfBurst: number;

  constructor(clock: SimClock, recordsPerSecond: number, burstRecords = 0) {
    this.#leftOfBurst = burstRecords;
    const write = async (batch: Batch): Promise<WriteResult> => {
      if (burstRecords > 0) {
        await new Promise<void>((done) => void clock.setTimer(done, BURST_WRITE_MS));
        this.records += batch.count;
        this.#leftOfBurst -= batch.count;
        if (this.#leftOfBurst > 0) return allAcked(batch);
        const delayMs = (burstRecords - this.#leftOfBurst) * 1000 / recordsPerSecond;
        this.#leftOfBurst = burstRecords;
        return allAcked(batch, { kind: "throttle", delayMs });
      }
      this.#freeAtMs = Math.max(this.#freeAtMs, clock.nowMs()) + batch.count * 1000 / recordsPerSecond;
      await new Promise<void>((done) => void clock.setTimer(done, this.#freeAtMs - clock.nowMs()));
      this.records += batch.count;
      return allAcked(batch);
    };
    this.definition = defineSink({
      type: "paced",
      config: z.strictObject({}),
      hints: () => ({
        maxRecords: Math.max(1, recordsPerSecond / 50),
        maxBytes: 4 * 1024 * 1024,
        lingerMs: 0,
        framingBytes: 0,
        writesInFlight: 1,
      }),
      open: () => ({ write, check() {}, close() {} }),
    });
  }
}

/** What the clients share. */
interface World {
  readonly clock: SimClock;
  readonly ingress: HttpIngress;
  readonly random: () => number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Whether it counts what happens. */
  readonly isWarm: () => boolean;
}

/** A client and its connection; also the exchange of the request that is on it. */
class ObedientClient implements Exchange {
  returned = 0;
  refusedAgain = 0;
  longestWaitMs = 0;
  servedAtMs: number;
  readonly #world: World;
  #ingest: IngestRequest | null = null;
  #rank: { readonly age: number; readonly fromMs: number } | null = null;
  #hasWaited = false;
  #sentBytes = 0;
  #isPaused = false;
  #isSending = false;
  #isAnswered = false;

  constructor(world: World) {
    this.#world = world;
    this.servedAtMs = world.clock.nowMs();
  }

  post(): void {
    this.#sentBytes = 0;
    this.#isPaused = false;
    this.#isAnswered = false;
    const ingest = this.#world.ingress.begin("POST", "/v1/streams/s", this);
    // It may have been refused by its head.
    this.#ingest = this.#isAnswered ? null : ingest;
    this.#send();
  }

  #send(): void {
    const { body, clock } = this.#world;
    const ingest = this.#ingest;
    if (this.#isPaused || this.#isSending || ingest === null || this.#sentBytes === body.length) return;
    const chunk = body.subarray(this.#sentBytes, this.#sentBytes + CHUNK_BYTES);
    this.#sentBytes += chunk.length;
    this.#isSending = true;
    clock.setTimer(() => {
      this.#isSending = false;
      if (this.#ingest !== ingest) return;
      ingest.onData(chunk);
      this.#send();
    }, this.#travelMs());
  }

  #travelMs(): number {
    return TRAVEL_MS * this.#world.random();
  }

  header(name: string): string | undefined {
    return this.#world.headers.get(name);
  }

  headers(): Iterable<readonly [string, string]> {
    return this.#world.headers;
  }

  takeRank(nowMs: number): number {
    const rank = this.#rank;
    this.#rank = null;
    return rank !== null && nowMs >= rank.fromMs ? rank.age : -1;
  }

  keepRank(age: number, fromMs: number): void {
    this.#rank = { age, fromMs };
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#send();
  }

  reply(reply: Reply): void {
    const { clock, isWarm } = this.#world;
    this.#ingest = null;
    this.#isAnswered = true;
    const isRefused = reply.status === 429;
    if (!isRefused) assertEquals(reply.status < 300, true, reply.body);
    if (isWarm()) {
      if (this.#hasWaited) this.returned++;
      if (this.#hasWaited && isRefused) this.refusedAgain++;
    }
    this.#hasWaited = isRefused;
    const seconds = isRefused ? Number(reply.headers[reply.headers.indexOf("Retry-After") + 1]) : 0;
    if (!isRefused) {
      this.longestWaitMs = Math.max(this.longestWaitMs, clock.nowMs() - this.servedAtMs);
      this.servedAtMs = clock.nowMs();
    }
    clock.setTimer(() => this.post(), seconds * 1000 + this.#travelMs());
  }
}

function contentType({ bodyBytes, lineBytes }: ObedientPlan): string {
  if (lineBytes !== undefined) return "application/x-ndjson";
  return bodyBytes > CHUNK_BYTES ? "application/octet-stream" : "text/plain";
}

/** Runs the plan. */
export async function runObedientClients(plan: ObedientPlan): Promise<ObedientReport> {
  const clock = new SimClock();
  const random = seededRandom(plan.seed);
  const sink = new PacedSink(clock, plan.recordsPerSecond, plan.burstRecords);
  const kinds = [sink.definition];
  const config = parseConfig({
    buffers: plan.buffers,
    streams: { s: { sinks: ["slow"], validate: "none", ...plan.stream } },
    sinks: { slow: { type: "paced", ...plan.sink } },
  }, kinds);
  const gateway = new Gateway(config, { sinks: kinds, clock, random });
  await gateway.open();
  const runUntil = async (untilMs: number) => {
    while (clock.step(untilMs)) {
      for (let k = 0; k < MICROTASKS; k++) await null;
      clock.endTurn();
    }
  };
  const startMs = plan.idleMs ?? 0;
  clock.setTimer(() => {}, startMs);
  await runUntil(startMs);
  const body = new Uint8Array(plan.bodyBytes).fill(0x61);
  const { lineBytes = Infinity } = plan;
  for (let end = lineBytes; end <= body.length; end += lineBytes) body[end - 1] = LF;
  const warmAtMs = startMs + plan.warmMs;
  const endMs = warmAtMs + plan.runMs;
  const isWarm = () => clock.nowMs() >= warmAtMs;
  const headers = new Map([
    ["content-type", contentType(plan)],
    ["content-length", String(plan.bodyBytes)],
  ]);
  const world = { clock, ingress: gateway.ingress, random, headers, body, isWarm };
  const clients = Array.from({ length: plan.clients }, () => new ObedientClient(world));
  for (const client of clients) clock.setTimer(() => client.post(), TRAVEL_MS * random());
  await runUntil(warmAtMs);
  const warmRecords = sink.records;
  await runUntil(endMs);
  return {
    busyShare: (sink.records - warmRecords) / (plan.recordsPerSecond * plan.runMs / 1000),
    returned: clients.reduce((sum, client) => sum + client.returned, 0),
    refusedAgain: clients.reduce((sum, client) => sum + client.refusedAgain, 0),
    longestWaits: clients.map((client) => Math.max(client.longestWaitMs, endMs - client.servedAtMs) / 1000),
  };
}
