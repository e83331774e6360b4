/**
 * A static limit: in no window, of t seconds, is more taken than rate × t + burst, in records and in bytes. Why that
 * holds exactly is said in `allowance.ts`.
 *
 * Time is the latest that a take has seen. While a clock stands still, or has stepped back behind that, nothing is
 * earned: what it repeats was given out before.
 *
 * @module
 */
import { Allowance, MAX_AMOUNT } from "./allowance.ts";

/** A limit in records, in bytes, in both or in neither. A unit without rate is not limited. */
export interface Limits {
  /** Records per second, above 0. */
  readonly recordsPerSecond?: number;
  /** Bytes per second, above 0. */
  readonly bytesPerSecond?: number;
  /** Records that may pass at once, whole, at least 1. When absent: what a second brings, rounded down, at least 1. */
  readonly burstRecords?: number;
  /** Bytes that may pass at once, whole, at least 1. When absent: what a second brings, rounded down, at least 1. */
  readonly burstBytes?: number;
}

/**
 * A token bucket for records and bytes, which starts full. It has no clock and waits for nothing: the caller passes
 * the time, in milliseconds, and waits. What was taken cannot be given back; a retry is load too.
 */
export class TokenBucket {
  #limits: Limits;
  #records: Allowance | null;
  #bytes: Allowance | null;
  #latestMs: number;

  /**
   * Full at `nowMs`.
   * @throws {RangeError} a rate or burst cannot be used.
   */
  constructor(limits: Limits, nowMs: number) {
    checkLimits(limits);
    this.#limits = limits;
    this.#latestMs = nowMs;
    this.#records = allowance(null, limits.recordsPerSecond, limits.burstRecords, nowMs);
    this.#bytes = allowance(null, limits.bytesPerSecond, limits.burstBytes, nowMs);
  }

  /** The limits in force, as given. */
  get limits(): Limits {
    return this.#limits;
  }

  /** Most records that one take can get; Infinity without limit. */
  get maxRecords(): number {
    return this.#records?.burst ?? Infinity;
  }

  /** Most bytes that one take can get; Infinity without limit. */
  get maxBytes(): number {
    return this.#bytes?.burst ?? Infinity;
  }

  /** Whether one take can ever get this much. What does not fit is to be cut. */
  fits(records: number, bytes: number): boolean {
    return records <= this.maxRecords && bytes <= this.maxBytes;
  }

  /**
   * Takes both amounts, or neither when one is not there.
   * @throws {RangeError} an amount is not a whole number of 0 or more.
   */
  take(records: number, bytes: number, nowMs: number): boolean {
    checkAmount("records", records);
    checkAmount("bytes", bytes);
    const atMs = this.#timeAt(nowMs);
    if (!this.#has(records, bytes, atMs)) return false;
    this.#latestMs = atMs;
    this.#records?.spend(records, atMs);
    this.#bytes?.spend(bytes, atMs);
    return true;
  }

  /**
   * Milliseconds, with their fraction, after which a take of this much succeeds if nobody else takes: 0 for now,
   * Infinity for what does not fit. Rounded up, so that a take at exactly `nowMs` + this succeeds.
   */
  waitMs(records: number, bytes: number, nowMs: number): number {
    if (!this.fits(records, bytes)) return Infinity;
    if (this.#has(records, bytes, this.#timeAt(nowMs))) return 0;
    const dueMs = Math.max(
      nowMs,
      this.#records?.aboutDueMs(records) ?? nowMs,
      this.#bytes?.aboutDueMs(bytes) ?? nowMs,
    );
    let waitMs = dueMs - nowMs;
    let stepMs = Number.EPSILON * (1 + Math.abs(nowMs) + waitMs);
    for (; !this.#has(records, bytes, this.#timeAt(nowMs + waitMs)); stepMs *= 2) waitMs += stepMs;
    return waitMs;
  }

  /** What there is now, with fractions, at least 0; Infinity without limit. */
  tokens(nowMs: number): { records: number; bytes: number } {
    const atMs = this.#timeAt(nowMs);
    return {
      records: Math.max(0, this.#records?.held(atMs) ?? Infinity),
      bytes: Math.max(0, this.#bytes?.held(atMs) ?? Infinity),
    };
  }

  /**
   * Other limits from now on. What was taken stays taken: a window over the change takes no more than the larger of
   * the two promises for its length, and going back and forth gains nothing. A unit that was not limited starts full.
   * @throws {RangeError} a rate or burst cannot be used; then nothing changes.
   */
  setLimits(limits: Limits, nowMs: number): void {
    checkLimits(limits);
    this.#limits = limits;
    this.#latestMs = this.#timeAt(nowMs);
    this.#records = allowance(this.#records, limits.recordsPerSecond, limits.burstRecords, this.#latestMs);
    this.#bytes = allowance(this.#bytes, limits.bytesPerSecond, limits.burstBytes, this.#latestMs);
  }

  #has(records: number, bytes: number, atMs: number): boolean {
    return (this.#records?.has(records, atMs) ?? true) && (this.#bytes?.has(bytes, atMs) ?? true);
  }

  #timeAt(nowMs: number): number {
    return Math.max(nowMs, this.#latestMs);
  }
}

function allowance(
  current: Allowance | null,
  perSecond: number | undefined,
  burst: number | undefined,
  nowMs: number,
): Allowance | null {
  if (perSecond === undefined) return null;
  const most = burst ?? Math.max(1, Math.floor(perSecond));
  if (current === null) return new Allowance(perSecond, most, nowMs);
  current.change(perSecond, most, nowMs);
  return current;
}

function checkLimits(limits: Limits): void {
  checkRate("recordsPerSecond", limits.recordsPerSecond);
  checkRate("bytesPerSecond", limits.bytesPerSecond);
  checkBurst("burstRecords", limits.burstRecords);
  checkBurst("burstBytes", limits.burstBytes);
}

function checkRate(name: string, rate: number | undefined): void {
  if (rate === undefined || (rate > 0 && rate <= MAX_AMOUNT)) return;
  throw new RangeError(
    `Cannot limit as ${name} must be above 0 and at most ${MAX_AMOUNT}: got ${rate}; leave it out for no limit`,
  );
}

function checkBurst(name: string, burst: number | undefined): void {
  if (burst === undefined || (Number.isInteger(burst) && burst >= 1 && burst <= MAX_AMOUNT)) return;
  throw new RangeError(
    `Cannot limit as ${name} must be a whole number from 1 to ${MAX_AMOUNT}: got ${burst}; leave it out for one second's worth`,
  );
}

function checkAmount(name: string, amount: number): void {
  if (Number.isSafeInteger(amount) && amount >= 0) return;
  throw new RangeError(
    `Cannot take from the bucket as ${name} must be a whole number of 0 or more: got ${amount}; round it up`,
  );
}
