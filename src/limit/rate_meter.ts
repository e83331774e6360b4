/**
 * How fast something drains now, from what has drained: for `Retry-After` and for people.
 *
 * A window of fixed length sees one record a second as 0 or 1 or 2, and one that counts records takes minutes to see
 * a change at that rate. So time is cut where something drained: a slice ends with the first record that comes
 * {@linkcode SLICE_MS} after its begin, be that a thousand records or one. Slices fade by age; what is kept is the sum
 * of their amounts and of their lengths, as the mean of many quotients would lean to the short gaps.
 *
 * Nothing drains in a stall, so no slice ends; then the rate is at most what it would be if the usual amount came now,
 * and falls as the stall grows.
 *
 * @module
 */

/** Shortest slice, ms: below this the reading would follow the size of single batches. */
const SLICE_MS = 100;

/** A slice counts for e^-1 after so long, ms: nine tenths of a reading are of the last 0.7 s. */
const FADE_MS = 300;

/** One slice leaves this much of those before at least: at one record a second the reading is not of one gap alone. */
const MIN_KEPT = 0.25;

/** A rate below it is one of times long gone, and told as none: it halves without end. */
const MIN_RATE = 1e-3;

/** A slice weighs as this much time at most, ms, or a stall of an hour would be remembered for as long. */
const MAX_WEIGHT_MS = 1000;

/** The rate of one flow. Time is passed in, ms, and does not go back. No timers, no allocation. */
export class RateMeter {
  #amount = 0;
  #lengthMs = 0;
  #usualAmount = 0;
  #sliceStartMs: number;
  #sliceAmount = 0;
  #sliceCount = 0;
  #lastMs: number;

  /** Nothing has drained yet. */
  constructor(nowMs: number) {
    this.#sliceStartMs = nowMs;
    this.#lastMs = nowMs;
  }

  /** `amount` (records, bytes, segments: always the same unit) has drained. */
  record(amount: number, nowMs: number): void {
    this.#lastMs = nowMs;
    this.#sliceAmount += amount;
    this.#sliceCount++;
    const sliceMs = nowMs - this.#sliceStartMs;
    if (sliceMs < SLICE_MS) return;
    const kept = Math.max(MIN_KEPT, Math.exp(-sliceMs / FADE_MS));
    const weight = Math.min(1, MAX_WEIGHT_MS / sliceMs);
    this.#amount = this.#amount * kept + this.#sliceAmount * weight;
    this.#lengthMs = this.#lengthMs * kept + sliceMs * weight;
    this.#usualAmount = this.#sliceAmount / this.#sliceCount;
    this.#sliceStartMs = nowMs;
    this.#sliceAmount = 0;
    this.#sliceCount = 0;
  }

  /**
   * From now on there is something to drain, after there was nothing. The time without counts neither as a stall nor as
   * a slow flow: the rate is again what it was.
   */
  resume(nowMs: number): void {
    this.#lastMs = nowMs;
    this.#sliceStartMs = nowMs;
    this.#sliceAmount = 0;
    this.#sliceCount = 0;
  }

  /** Units per second; 0 below {@linkcode MIN_RATE}, and until something has drained for {@linkcode SLICE_MS}. */
  rate(nowMs: number): number {
    if (this.#lengthMs === 0) return 0;
    const perSecond = this.#amount / this.#lengthMs * 1000;
    const openMs = nowMs - this.#sliceStartMs;
    if (openMs < SLICE_MS) return told(perSecond);
    return told(Math.min(perSecond, (this.#sliceAmount + this.#usualAmount) / openMs * 1000));
  }

  /** Milliseconds since something last drained, or since the begin. */
  stalledMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#lastMs);
  }
}

function told(perSecond: number): number {
  return perSecond < MIN_RATE ? 0 : perSecond;
}
