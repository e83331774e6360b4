/**
 * How fast a sink drains that asks for pauses: some megabytes at once, then a second of nothing, again and again. The
 * rate of such a sink is that of many bursts and pauses together. A meter that follows the flow within a second
 * (`rate_meter.ts`) reads ten times too much in one and ten times too little in the other; and it is in the pauses that
 * clients are refused, and told when to come back.
 *
 * @module
 */

/** What was so long ago counts for e^-1, ms: several pauses of a broker, which last a second or two. */
const FADE_MS = 3_000;

/** The rate of one flow in bursts. Time is passed in, ms, and does not go back. No timers, no allocation. */
export class BurstRate {
  #amount = 0;
  #busyMs = 0;
  #lastMs: number;

  /** Nothing has drained yet. */
  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** `amount` has drained. */
  record(amount: number, nowMs: number): void {
    const kept = this.#kept(nowMs);
    this.#amount = this.#amount * kept + amount;
    this.#busyMs = this.#busyMs * kept + FADE_MS * (1 - kept);
    this.#lastMs = nowMs;
  }

  /** From now on there is something to drain, after there was nothing; the time without does not count. */
  resume(nowMs: number): void {
    this.#lastMs = nowMs;
  }

  /** Units per second, pauses included; 0 until something has drained. */
  rate(nowMs: number): number {
    const kept = this.#kept(nowMs);
    const busyMs = this.#busyMs * kept + FADE_MS * (1 - kept);
    return busyMs === 0 ? 0 : this.#amount * kept / busyMs * 1000;
  }

  #kept(nowMs: number): number {
    return Math.exp((this.#lastMs - nowMs) / FADE_MS);
  }
}
