/**
 * What a sink did in about a second, as a sample for a {@linkcode PidController}.
 *
 * Spark forms its batches by the clock, and a batch keeps the cluster busy until it is done. Here a batch is formed when
 * a write may start, of what has come by then: a sink with time to spare has writes under way all the time too, only
 * with little in each. Taken as it is, the sink's rate would then be the rate of what came, and a low rate would stay
 * low. So a write counts as busy for the part of it that was filled, unless more waited than it could take. A sink whose
 * writes take as long with few records as with many is measured rightly by this; one that is slower by the record is
 * thought faster than it is while it has time to spare, so what writes that were not full tell is at most twice what
 * is known: the rate before, or what it did take.
 *
 * @module
 */
import type { PidSample } from "./pid_controller.ts";

/** Length of a sample, ms: Spark's usual batch interval. */
export const SAMPLE_MS = 1000;

/** What a guess may be of the rate that is known. */
const MAX_GROWTH = 2;

/** Who is told of every write of a sink. */
export interface WriteObserver {
  /** A write starts, of records that had been ready for `delayMs`; waits that a limiter caused are not in it. */
  started(delayMs: number): void;
  /** A write ended after `tookMs` and settled `records`. `fill` is how full it was, 0 to 1; 1 where more waited. */
  ended(records: number, tookMs: number, fill: number): void;
}

/** Adds up writes. Time is passed in, ms. */
export class WriteMeter implements WriteObserver {
  readonly #slots: number;
  #sinceMs: number;
  #records = 0;
  #busyMs = 0;
  #fullMs = 0;
  #delayMs = 0;
  #started = 0;

  /** `slots` writes may be under way at a time. */
  constructor(slots: number, nowMs: number) {
    this.#slots = slots;
    this.#sinceMs = nowMs;
  }

  started(delayMs: number): void {
    this.#started++;
    this.#delayMs += delayMs;
  }

  ended(records: number, tookMs: number, fill: number): void {
    this.#records += records;
    this.#busyMs += tookMs * fill / this.#slots;
    if (fill === 1) this.#fullMs += tookMs / this.#slots;
  }

  /** What was done since the last sample, which left the rate at `lastRate`; null while that is too little to tell. */
  sample(lastRate: number | null, nowMs: number): PidSample | null {
    if (nowMs - this.#sinceMs < SAMPLE_MS || this.#records === 0 || this.#busyMs === 0) return null;
    const isMeasured = lastRate === null || this.#fullMs >= this.#busyMs / 2;
    const shown = Math.max(lastRate ?? 0, this.#records * 1000 / (nowMs - this.#sinceMs));
    const leastMs = isMeasured ? 0 : this.#records * 1000 / (MAX_GROWTH * shown);
    const sample = {
      atMs: nowMs,
      records: this.#records,
      processingMs: Math.max(leastMs, this.#busyMs),
      schedulingDelayMs: this.#started === 0 ? 0 : this.#delayMs / this.#started,
    };
    this.#sinceMs = nowMs;
    this.#records =
      this.#busyMs =
      this.#fullMs =
      this.#delayMs =
      this.#started =
        0;
    return sample;
  }
}
