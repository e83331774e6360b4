/**
 * Batches of a lane that wait for another try, each for its own time.
 *
 * Parts of one batch may share keys. Where order is kept, a part follows the one before it: it is tried when that one
 * has no record left to try again, so that no part passes a retry of another.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";
import type { SegmentBatch } from "./batch.ts";
import { backoffMs, type RetryPolicy } from "./retry.ts";

/** What a retry queue works with. */
export interface RetryQueueParts {
  readonly policy: RetryPolicy;
  /** Whether parts of a batch follow each other. */
  readonly ordered: boolean;
  /** Whether batches are tried in the order in which they were formed. */
  readonly inOrder: boolean;
  readonly clock: Clock;
  /** Chance for jitter, 0 to 1. */
  readonly random: () => number;
  /** A batch is due. */
  readonly onDue: () => void;
}

/** The queue. What it holds is bounded by the lane's credits. */
export class RetryQueue {
  readonly #parts: RetryQueueParts;
  readonly #waiting: SegmentBatch[] = [];
  /** By the batch that is tried before it. */
  readonly #followers: Map<SegmentBatch, SegmentBatch> = new Map();
  #timer: Timer | null = null;
  #timerDueMs = 0;

  /** An empty queue. */
  constructor(parts: RetryQueueParts) {
    this.#parts = parts;
  }

  /** Whether no batch waits, be it for its time or for the one before it. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#followers.size === 0;
  }

  /** Records that wait. */
  get records(): number {
    let records = 0;
    for (const batch of this.#waiting) records += batch.count;
    for (const batch of this.#followers.values()) records += batch.count;
    return records;
  }

  /** The first batch whose time has come; null when there is none. */
  due(): SegmentBatch | null {
    if (this.#waiting.length === 0) return null;
    const now = this.#parts.clock.nowMs();
    if (this.#parts.inOrder) return this.#waiting[0].dueMs <= now ? this.#waiting[0] : null;
    for (const batch of this.#waiting) if (batch.dueMs <= now) return batch;
    return null;
  }

  /** Takes the batch that `due` gave. */
  take(batch: SegmentBatch): void {
    this.#waiting.splice(this.#waiting.indexOf(batch), 1);
  }

  /** `rest`, which is `batch` or what is left of it, is tried again after a while. */
  schedule(batch: SegmentBatch, rest: SegmentBatch): void {
    const { policy, clock, random } = this.#parts;
    this.#follow(batch, rest);
    rest.dueMs = clock.nowMs() + backoffMs(policy, rest.attempt, random);
    rest.attempt++;
    if (this.#parts.inOrder) this.#insert(rest, (other) => other.sequence > rest.sequence);
    else this.#waiting.push(rest);
    this.#arm(rest.dueMs);
  }

  /** `batch`, which was not written after all, waits for its turn. */
  putBack(batch: SegmentBatch): void {
    this.#dueNow(batch);
  }

  /** `batch` has no record left to try again. */
  done(batch: SegmentBatch): void {
    if (this.#followers.size === 0) return;
    const follower = this.#followers.get(batch);
    if (follower === undefined) return;
    this.#followers.delete(batch);
    this.#dueNow(follower);
  }

  /** Cuts `batch` before record `at`; returns the first part, the other one is tried when order allows. */
  split(batch: SegmentBatch, at: number): SegmentBatch {
    const first = batch.slice(0, at);
    const second = batch.slice(at, batch.count);
    this.#follow(batch, second);
    if (this.#parts.ordered) this.#followers.set(first, second);
    else this.#dueNow(second);
    return first;
  }

  /** The sink found `batch` too large: its halves are tried. */
  halve(batch: SegmentBatch): void {
    this.#dueNow(this.split(batch, batch.count >> 1));
  }

  /** Forgets the timer. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** What followed `before` follows `after`. */
  #follow(before: SegmentBatch, after: SegmentBatch): void {
    if (before === after || this.#followers.size === 0) return;
    const follower = this.#followers.get(before);
    if (follower === undefined) return;
    this.#followers.delete(before);
    this.#followers.set(after, follower);
  }

  /** Before those that have waited for their time already: its records are older than theirs or have nothing to do with them. */
  #dueNow(batch: SegmentBatch): void {
    batch.dueMs = this.#parts.clock.nowMs();
    if (this.#parts.inOrder) this.#insert(batch, (other) => other.sequence >= batch.sequence);
    else this.#waiting.unshift(batch);
  }

  #insert(batch: SegmentBatch, isLater: (other: SegmentBatch) => boolean): void {
    const at = this.#waiting.findIndex(isLater);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, batch);
  }

  #arm(dueMs: number): void {
    if (this.#timer) {
      if (this.#timerDueMs <= dueMs) return;
      this.#timer.cancel();
    }
    const { clock, onDue } = this.#parts;
    this.#timerDueMs = dueMs;
    this.#timer = clock.setTimer(() => {
      this.#timer = null;
      onDue();
      let nextMs = Infinity;
      const now = clock.nowMs();
      for (const batch of this.#waiting) if (batch.dueMs > now) nextMs = Math.min(nextMs, batch.dueMs);
      if (nextMs < Infinity) this.#arm(nextMs);
    }, dueMs - clock.nowMs());
  }
}
