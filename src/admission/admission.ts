/**
 * Admission decides who gets a segment of a stream, and what the others are told.
 *
 * The rule is age. A body that finds no segment waits its turn; when one is needed and none is free, the *youngest*
 * body that has not arrived whole gives back what it holds and is refused, so the oldest always finishes and there is
 * always progress. Everything here is synchronous: up to 84 MB of socket data come between two microtasks, so a
 * decision by promise would come after the memory is gone.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Segment } from "../buffer/segment.ts";
import { type Limits, TokenBucket } from "../limit/token_bucket.ts";
import type { ResultPartition } from "../partition/result_partition.ts";
import { ReturnPromises } from "./return_promises.ts";
import type { SourceGate } from "./source_control.ts";

/** Part of a quota's wait that may be added, so that its clients do not come back together. */
const QUOTA_JITTER = 0.2;

/** Longest until those whom a sink's controller keeps out look again, ms: it may have changed its mind. */
const MAX_LOOK_MS = 1_000;

/** Time in which the rate for bookings follows the drain's, to two thirds, ms. */
const STEADY_MS = 3_000;

/** Order of arrival of whatever waits for a stream's buffers, over all streams. */
let arrivals = 0;

/** The age of one that arrives now; lower is older. */
export function nextAge(): number {
  return arrivals++;
}

/** A socket that is not read until there is room for what was read of it. */
export interface PausedReader {
  /** Order in which it began to wait; lower is older. */
  readonly age: number;
  /** Bytes of the message that comes first. */
  readonly expectedBytes: number;
  /** There may be room now. True when it waits for it no longer. */
  retry(): boolean;
  /** The quota may have tokens again. */
  quotaOpened(): void;
}

/** A body as admission sees it. */
export interface AdmittedBody {
  /** Order of arrival at the gateway; lower is older. */
  readonly age: number;
  /** Whether it comes back at a time that it was told. */
  readonly promised: boolean;
  /** Bytes that it wants to bring, as far as is known. */
  readonly expectedBytes: number;
  /** Segments that it would give back. */
  readonly heldSegments: number;
  /** Clock time of the last byte that its client sent; Infinity while it is not read. */
  readonly lastByteMs: number;
  /** Gives everything back that is not accepted and answers 429: an older body needs it. */
  evict(): void;
  /** There may be a segment now. True when the body no longer waits. */
  retry(): boolean;
  /** The wait is over: answer 429. */
  expire(): void;
}

/** How the part that binds drains, for `Retry-After`. */
export interface Drain {
  /** Bytes per second that leave the stream through its slowest lane. */
  readonly bytesPerSecond: number;
  /** How long nothing has left, ms. */
  readonly stalledMs: number;
  /** What the sink itself asked for, ms. */
  readonly hintMs: number;
}

interface Waiting {
  readonly body: AdmittedBody;
  /** What it wanted to bring when it began to wait. */
  readonly bytes: number;
  timer: Timer;
}

/** Admission to one stream. */
export class Admission {
  /** The stream's partition. */
  readonly partition: ResultPartition;
  /** Refusals of any kind that carried `Retry-After`. */
  refused = 0;
  /** Bodies that had to give back what they held. */
  gaveBack = 0;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #maxWaiters: number;
  readonly #maxWaitMs: number;
  readonly #maxStallMs: number;
  readonly #drain: () => Drain;
  readonly #promises: ReturnPromises;
  readonly #quota: TokenBucket | null;
  readonly #source: SourceGate | null;
  #sourceTimer: Timer | null = null;
  /** Oldest first. */
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Oldest first; as many as there are connections. */
  readonly #readers: Set<PausedReader> = new Set();
  readonly #quotaReaders: Set<PausedReader> = new Set();
  #quotaTimer: Timer | null = null;
  /** Room that clients were told they have, bytes; see `addCredit`. */
  #creditBytes = 0;
  /** Bodies that hold segments of their own. */
  readonly #open: Set<AdmittedBody> = new Set();
  #steadyBytesPerSecond = 0;
  #steadyAtMs = 0;
  #serving = false;
  #serveAgain = false;

  /**
   * `drain` tells how the slowest lane does; `quota` is the stream's ingress limit, which what was taken of
   * `quotaBefore` counts against; `source` is what the controllers of its sinks allow.
   */
  constructor(options: {
    partition: ResultPartition;
    clock: Clock;
    random: () => number;
    maxWaiters: number;
    maxWaitMs: number;
    maxStallMs: number;
    quota: Limits | null;
    quotaBefore?: TokenBucket | null;
    source?: SourceGate;
    drain: () => Drain;
  }) {
    this.partition = options.partition;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#maxWaiters = options.maxWaiters;
    this.#maxWaitMs = options.maxWaitMs;
    this.#maxStallMs = options.maxStallMs;
    this.#drain = options.drain;
    this.#source = options.source ?? null;
    this.#promises = new ReturnPromises(options.random);
    this.#quota = options.quota && quotaAfter(options.quotaBefore, options.quota, options.clock.nowMs());
  }

  /** Bodies that wait for a segment. */
  get waiters(): number {
    return this.#waiting.length;
  }

  /** Bodies that are arriving and hold segments. */
  get openBodies(): number {
    return this.#open.size;
  }

  /** Sockets that are not read for want of room. */
  get pausedReaders(): number {
    return this.#readers.size;
  }

  /** Room that clients were told they have and have not used, bytes. */
  get creditBytes(): number {
    return this.#creditBytes;
  }

  /** The stream's quota, or null. */
  get quota(): TokenBucket | null {
    return this.#quota;
  }

  /** Whether no controller of a sink keeps records out now. */
  get sourceIsOpen(): boolean {
    return this.#source === null || this.#source.waitMs() === 0;
  }

  /** What was promised was of what the sink takes, and comes no faster: who was told to come back need not wait again. */
  #sourceLetsIn(body: Pick<AdmittedBody, "promised">): boolean {
    return body.promised || this.sourceIsOpen;
  }

  /** Whether `body` may take from the pool now: nobody older waits, no lane that blocks is full, no sink's controller keeps it out, and what is free is not promised to others. */
  mayTake(body: Pick<AdmittedBody, "age" | "promised" | "expectedBytes">): boolean {
    return this.#isFirst(body.age) && this.#sourceLetsIn(body) && this.#isSpare() &&
      this.partition.hasRoomFor(body.expectedBytes) &&
      (body.promised || !this.#isPromised());
  }

  /**
   * A segment for a body that is arriving, or null: then it must wait. `inRecord` allows the overdraft, so that a record
   * that was begun can be ended.
   */
  take(body: AdmittedBody, inRecord: boolean): Segment | null {
    if (!this.#isFirst(body.age) || !(inRecord || this.#sourceLetsIn(body))) return null;
    if (!body.promised && body.heldSegments === 0 && this.#isPromised()) return null;
    const pool = this.partition.pool;
    if (!inRecord && !(pool.isAvailable && this.#isSpare())) {
      // Unavailable with an idle segment: a lane is full. Giving back would free memory that may not be used.
      return pool.idleSegments > 0 ? null : this.#takeFromYounger(body);
    }
    return pool.tryRequest(inRecord) ?? this.#takeFromYounger(body);
  }

  /** One who was told to come back is here. */
  promiseKept(bytes: number): void {
    this.#promises.kept(bytes, this.#clock.nowMs());
  }

  /** Whether what is free is needed for those who are about to come back as they were told; at most half is kept for them. */
  #isPromised(): boolean {
    const now = this.#clock.nowMs();
    const dueBytes = this.#promises.dueBytes(now);
    if (dueBytes === 0) return false;
    const { pool } = this.partition;
    if (
      (pool.size - pool.lentSegments) * pool.segmentBytes <=
        Math.min(dueBytes, pool.size * pool.segmentBytes / 2)
    ) {
      return true;
    }
    // A lane counts buffers: a small request is one while there is little to do, a large one is as many as its segments.
    const dueBuffers = Math.max(this.#promises.dueRequests(now), dueBytes / pool.segmentBytes);
    return this.partition.roomBuffers() <= Math.min(dueBuffers, this.partition.maxBuffers / 2);
  }

  /** The body holds segments from now on. */
  opened(body: AdmittedBody): void {
    this.#open.add(body);
  }

  /** The body holds none any more. */
  closed(body: AdmittedBody): void {
    this.#open.delete(body);
    this.#leave(body);
    this.serve();
  }

  /** Lets `body` wait for at most `maxMs`; `anew` from now also if it waits already. False when too many wait: answer 429 now. */
  wait(body: AdmittedBody, maxMs: number, anew = false): boolean {
    const already = this.#waiting.find((waiting) => waiting.body === body);
    if (already !== undefined) {
      if (!anew) return true;
      already.timer.cancel();
      already.timer = this.#expireAfter(body, maxMs);
      return true;
    }
    if (this.#waiting.length >= this.#maxWaiters) return false;
    const timer = this.#expireAfter(body, maxMs);
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1].body.age > body.age) at--;
    const bytes = body.expectedBytes;
    this.#waitingBytes += bytes;
    this.#waiting.splice(at, 0, { body, bytes, timer });
    this.#lookAtSource();
    return true;
  }

  #expireAfter(body: AdmittedBody, maxMs: number): Timer {
    return this.#clock.setTimer(() => {
      this.#leave(body);
      body.expire();
      this.serve();
    }, maxMs);
  }

  /** Segments may have come home: those who wait are served, oldest first. */
  serve(): void {
    if (this.#serving) {
      this.#serveAgain = true;
      return;
    }
    this.#serving = true;
    try {
      do {
        this.#serveAgain = false;
        while (this.#serveFirst());
      } while (this.#serveAgain);
    } finally {
      this.#serving = false;
    }
    this.#lookAtSource();
  }

  /** Who waits because of a sink's controller is served when that lets in again. */
  #lookAtSource(): void {
    if (this.#source === null) return;
    if (this.#waiting.length === 0 && this.#readers.size === 0) {
      this.#sourceTimer?.cancel();
      this.#sourceTimer = null;
      return;
    }
    if (this.#sourceTimer !== null) return;
    const waitMs = this.#source.waitMs();
    if (waitMs === 0) return;
    this.#sourceTimer = this.#clock.setTimer(() => {
      this.#sourceTimer = null;
      this.serve();
    }, Math.max(1, Math.min(waitMs, MAX_LOOK_MS)));
  }

  /** Serves the one that waits longest, a request or a socket. False when there is no room for it, or nobody waits. */
  #serveFirst(): boolean {
    const waiting = this.#waiting[0];
    const reader: PausedReader | undefined = this.#readers.values().next().value;
    if (reader !== undefined && (waiting === undefined || reader.age < waiting.body.age)) {
      if (!this.sourceIsOpen || !this.partition.hasRoomFor(reader.expectedBytes) || !reader.retry()) {
        return false;
      }
      this.#readers.delete(reader);
      return true;
    }
    if (waiting === undefined || !this.#sourceLetsIn(waiting.body)) return false;
    if (!this.partition.hasRoomFor(waiting.body.expectedBytes) || !waiting.body.retry()) return false;
    this.#leave(waiting.body);
    return true;
  }

  /** Whether nobody waits who is older. */
  #isFirst(age: number): boolean {
    const waiting = this.#waiting[0];
    if (waiting !== undefined && waiting.body.age < age) return false;
    const reader: PausedReader | undefined = this.#readers.values().next().value;
    return reader === undefined || reader.age >= age;
  }

  /** Whether more is free than what clients were told they have. */
  #isSpare(): boolean {
    if (this.#creditBytes === 0) return true;
    const { pool } = this.partition;
    return (pool.size - pool.lentSegments) * pool.segmentBytes > this.#creditBytes;
  }

  /** Whether a message of `reader` may enter now: nobody older waits, and there is room that nobody was told of. */
  mayRead(reader: PausedReader): boolean {
    return this.#isFirst(reader.age) && this.sourceIsOpen && this.#isSpare() &&
      this.partition.hasRoomFor(reader.expectedBytes);
  }

  /** Whether a record that has taken `segments` segments and needs more can never have them. */
  neverFits(segments: number): boolean {
    const { pool } = this.partition;
    return segments >= pool.size + pool.maxOverdraft ||
      (pool.requestedSegments >= pool.size && pool.lentSegments - segments <= 1);
  }

  /** `reader` is told by `retry` when there may be room. It has no deadline: nobody waits for an answer. */
  waitToRead(reader: PausedReader): void {
    this.#readers.add(reader);
    this.#lookAtSource();
  }

  /** `reader` is told by `quotaOpened` when the quota may have tokens for a record of `bytes`. */
  waitForQuota(reader: PausedReader, bytes: number): void {
    this.#quotaReaders.add(reader);
    const waitMs = this.#quota?.waitMs(1, bytes, this.#clock.nowMs()) ?? 0;
    // One timer for all: those behind the first are asked again when it is due.
    this.#quotaTimer ??= this.#clock.setTimer(() => this.#openQuota(), Math.max(1, Math.min(waitMs, 1_000)));
  }

  #openQuota(): void {
    this.#quotaTimer = null;
    const readers = [...this.#quotaReaders];
    this.#quotaReaders.clear();
    for (const reader of readers) {
      // Once it is used up again the others wait on, in their order.
      if (this.#quotaTimer === null) reader.quotaOpened();
      else this.#quotaReaders.add(reader);
    }
  }

  /** `reader` waits no longer. */
  leaveReading(reader: PausedReader): void {
    this.#quotaReaders.delete(reader);
    if (this.#readers.delete(reader)) this.serve();
  }

  /** Keeps `bytes` free for a client that was told so (or, negative, which it has used): nobody else takes them. */
  addCredit(bytes: number): void {
    this.#creditBytes += bytes;
    assert(this.#creditBytes >= 0, "no credit is used twice");
  }

  /** Refuses everyone who waits and everyone who holds: the stream goes. */
  close(): void {
    for (const { body } of [...this.#waiting]) {
      this.#leave(body);
      body.expire();
    }
    for (const body of [...this.#open]) body.evict();
  }

  /** Seconds for `Retry-After` of a request of `bytes` bytes that found no room; `again`: though it came as it was told. */
  retryAfterSeconds(bytes: number, again = false): number {
    this.refused++;
    const drain = this.#drain();
    // While nothing has drained yet, a second is as good a guess as a minute, and found out sooner.
    const { pool } = this.partition;
    const bytesPerSecond = this.#steadyRate(drain.bytesPerSecond) || pool.size * pool.segmentBytes;
    // Of those who wait, more than drains while they may wait will be refused, and booked, themselves.
    const aheadBytes = Math.min(this.#waitingBytes, bytesPerSecond * this.#maxWaitMs / 1000);
    const refusal = { ...drain, needBytes: Math.max(1, bytes), bytesPerSecond, aheadBytes, again };
    return this.#promises.book(refusal, this.#clock.nowMs());
  }

  /** Seconds for `Retry-After` of a request that the quota refused. */
  quotaRetryAfterSeconds(records: number, bytes: number): number {
    this.refused++;
    const quota = this.#quota;
    assert(quota !== null, "only a stream with a quota refuses by quota");
    const now = this.#clock.nowMs();
    const askRecords = Math.min(Math.max(1, records), quota.maxRecords);
    const askBytes = Math.min(Math.max(1, bytes), quota.maxBytes);
    const waitMs = quota.waitMs(askRecords, askBytes, now) * (1 + QUOTA_JITTER * this.#random());
    return Math.min(60, Math.max(1, Math.ceil(waitMs / 1000)));
  }

  /** Whether the quota would take one more record now. */
  quotaIsOpen(): boolean {
    const quota = this.#quota;
    return quota === null || quota.waitMs(1, 1, this.#clock.nowMs()) === 0;
  }

  /** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), for a stream with a quota. */
  rateLimitHeaders(): readonly string[] {
    const quota = this.#quota;
    if (quota === null) return [];
    const tokens = quota.tokens(this.#clock.nowMs());
    const policies: string[] = [];
    const limits: string[] = [];
    for (
      const [name, unit, max, left, rate] of [
        ["records", "requests", quota.maxRecords, tokens.records, quota.limits.recordsPerSecond],
        ["bytes", "content-bytes", quota.maxBytes, tokens.bytes, quota.limits.bytesPerSecond],
      ] as const
    ) {
      if (rate === undefined) continue;
      const windowSeconds = Math.max(1, Math.ceil(max / rate));
      policies.push(`"${name}";q=${Math.floor(max)};w=${windowSeconds};qu="${unit}"`);
      limits.push(
        `"${name}";r=${Math.max(0, Math.floor(left))};t=${Math.max(0, Math.ceil((max - left) / rate))}`,
      );
    }
    return ["RateLimit-Policy", policies.join(", "), "RateLimit", limits.join(", ")];
  }

  /** The drain's rate without its short dips: a booking half a minute ahead must not double for a pause of the collector. */
  #steadyRate(rate: number): number {
    const now = this.#clock.nowMs();
    const weight = this.#steadyBytesPerSecond === 0 ? 1 : 1 - Math.exp((this.#steadyAtMs - now) / STEADY_MS);
    this.#steadyBytesPerSecond += (rate - this.#steadyBytesPerSecond) * weight;
    this.#steadyAtMs = now;
    return this.#steadyBytesPerSecond;
  }

  #takeFromYounger(body: AdmittedBody): Segment | null {
    let youngest: AdmittedBody | null = null;
    for (const other of this.#open) {
      if (other.age > body.age && other.heldSegments > 0 && (youngest === null || other.age > youngest.age)) {
        youngest = other;
      }
    }
    youngest ??= this.#silentBody(body);
    if (youngest === null) return null;
    this.gaveBack++;
    // What comes free is for the one that asked; the others are looked at afterwards.
    const serving = this.#serving;
    this.#serving = true;
    youngest.evict();
    const segment = this.partition.pool.tryRequest(true);
    this.#serving = serving;
    if (!serving) this.#clock.defer(() => this.serve());
    return segment;
  }

  /** A body that others wait for, though its client sends nothing: whatever its age, it may not hold them up for ever. */
  #silentBody(asking: AdmittedBody): AdmittedBody | null {
    const sinceMs = this.#clock.nowMs() - this.#maxStallMs;
    for (const other of this.#open) {
      if (other !== asking && other.heldSegments > 0 && other.lastByteMs <= sinceMs) return other;
    }
    return null;
  }

  #leave(body: AdmittedBody): void {
    const at = this.#waiting.findIndex((waiting) => waiting.body === body);
    if (at < 0) return;
    const [{ bytes, timer }] = this.#waiting.splice(at, 1);
    this.#waitingBytes -= bytes;
    timer.cancel();
  }
}

/** A bucket for `limits` that goes on where `before` stands; a full one when there was none. */
function quotaAfter(before: TokenBucket | null | undefined, limits: Limits, nowMs: number): TokenBucket {
  before?.setLimits(limits, nowMs);
  return before ?? new TokenBucket(limits, nowMs);
}
