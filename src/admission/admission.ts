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
import { SteadyRate } from "../limit/steady_rate.ts";
import { type Limits, TokenBucket } from "../limit/token_bucket.ts";
import type { ResultPartition } from "../partition/result_partition.ts";
import type { AdmittedBody, PausedReader } from "./arrivals.ts";
import { OpenBodies } from "./open_bodies.ts";
import { QuotaReaders } from "./quota_readers.ts";
import { ReturnPromises } from "./return_promises.ts";
import type { SourceGate } from "./source_control.ts";
import { WaitingBodies } from "./waiting_bodies.ts";

/** Part of a quota's wait that may be added, so that its clients do not come back together. */
const QUOTA_JITTER = 0.2;

/** Longest until those whom a sink's controller keeps out look again, ms: it may have changed its mind. */
const MAX_LOOK_MS = 1_000;

/** The rate for bookings is the drain's without its short dips, ms: a booking half a minute ahead must not double for a pause of the collector. */
const STEADY_MS = 3_000;

/** How the part that binds drains, for `Retry-After`. */
export interface Drain {
  /** Bytes per second that leave the stream through its slowest lane. */
  readonly bytesPerSecond: number;
  /** How long nothing has left, ms. */
  readonly stalledMs: number;
  /** What the sink itself asked for, ms. */
  readonly hintMs: number;
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
  readonly #waiting: WaitingBodies;
  /** Oldest first; as many as there are connections. */
  readonly #readers: Set<PausedReader> = new Set();
  readonly #quotaReaders: QuotaReaders;
  /** Room that clients were told they have, bytes; see `addCredit`. */
  #creditBytes = 0;
  /** Bodies that hold segments of their own. */
  readonly #open = new OpenBodies();
  readonly #steady = new SteadyRate(STEADY_MS);
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
    this.#waiting = new WaitingBodies(options.clock, (body) => {
      body.expire();
      this.serve();
    });
    this.#quotaReaders = new QuotaReaders(options.clock);
    this.#quota = options.quota && quotaAfter(options.quotaBefore, options.quota, options.clock.nowMs());
  }

  /** Bodies that wait for a segment. */
  get waiters(): number {
    return this.#waiting.count;
  }

  /** Bodies that are arriving and hold segments. */
  get openBodies(): number {
    return this.#open.count;
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
    this.#waiting.leave(body);
    this.serve();
  }

  /** Lets `body` wait for at most `maxMs`; `anew` from now also if it waits already. False when too many wait: answer 429 now. */
  wait(body: AdmittedBody, maxMs: number, anew = false): boolean {
    if (this.#waiting.has(body)) {
      if (anew) this.#waiting.extend(body, maxMs);
      return true;
    }
    if (this.#waiting.count >= this.#maxWaiters) return false;
    this.#waiting.add(body, maxMs);
    this.#lookAtSource();
    return true;
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
    if (this.#waiting.count === 0 && this.#readers.size === 0) {
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
    const body = this.#waiting.first;
    const reader: PausedReader | undefined = this.#readers.values().next().value;
    if (reader !== undefined && (body === null || reader.age < body.age)) {
      if (!this.sourceIsOpen || !this.partition.hasRoomFor(reader.expectedBytes) || !reader.retry()) {
        return false;
      }
      this.#readers.delete(reader);
      return true;
    }
    if (body === null || !this.#sourceLetsIn(body)) return false;
    if (!this.partition.hasRoomFor(body.expectedBytes) || !body.retry()) return false;
    this.#waiting.leave(body);
    return true;
  }

  /** Whether nobody waits who is older. */
  #isFirst(age: number): boolean {
    const body = this.#waiting.first;
    if (body !== null && body.age < age) return false;
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
    this.#quotaReaders.add(reader, this.#quota?.waitMs(1, bytes, this.#clock.nowMs()) ?? 0);
  }

  /** `reader` waits no longer. */
  leaveReading(reader: PausedReader): void {
    this.#quotaReaders.leave(reader);
    if (this.#readers.delete(reader)) this.serve();
  }

  /** Keeps `bytes` free for a client that was told so (or, negative, which it has used): nobody else takes them. */
  addCredit(bytes: number): void {
    this.#creditBytes += bytes;
    assert(this.#creditBytes >= 0, "no credit is used twice");
  }

  /** Refuses everyone who waits and everyone who holds: the stream goes. */
  close(): void {
    for (const body of this.#waiting) {
      this.#waiting.leave(body);
      body.expire();
    }
    for (const body of this.#open) body.evict();
  }

  /** Seconds for `Retry-After` of a request of `bytes` bytes that found no room; `again`: though it came as it was told. */
  retryAfterSeconds(bytes: number, again = false): number {
    this.refused++;
    const drain = this.#drain();
    const now = this.#clock.nowMs();
    // While nothing has drained yet, a second is as good a guess as a minute, and found out sooner.
    const { pool } = this.partition;
    const bytesPerSecond = this.#steady.follow(drain.bytesPerSecond, now) || pool.size * pool.segmentBytes;
    // Of those who wait, more than drains while they may wait will be refused, and booked, themselves.
    const aheadBytes = Math.min(this.#waiting.bytes, bytesPerSecond * this.#maxWaitMs / 1000);
    const refusal = { ...drain, needBytes: Math.max(1, bytes), bytesPerSecond, aheadBytes, again };
    return this.#promises.book(refusal, now);
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

  #takeFromYounger(body: AdmittedBody): Segment | null {
    const other = this.#open.victimOf(body, this.#clock.nowMs() - this.#maxStallMs);
    if (other === null) return null;
    this.gaveBack++;
    // What comes free is for the one that asked; the others are looked at afterwards.
    const serving = this.#serving;
    this.#serving = true;
    other.evict();
    const segment = this.partition.pool.tryRequest(true);
    this.#serving = serving;
    if (!serving) this.#clock.defer(() => this.serve());
    return segment;
  }
}

/** A bucket for `limits` that goes on where `before` stands; a full one when there was none. */
function quotaAfter(before: TokenBucket | null | undefined, limits: Limits, nowMs: number): TokenBucket {
  before?.setLimits(limits, nowMs);
  return before ?? new TokenBucket(limits, nowMs);
}
