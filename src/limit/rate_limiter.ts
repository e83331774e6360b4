/**
 * A rate whose next taker pays for the one before, as the limiter under Spark's receivers does (Guava's `RateLimiter`):
 * who finds it open takes what it needs, however much, and it stays shut until that is earned.
 *
 * A token bucket refuses what is over its burst for good. This rate falls and rises with what a sink can do now, and a
 * client cannot know how small its requests must be: at the lowest rate a request of a thousand records would be
 * refused for ever. So the rate holds on the average, and one request may be over it.
 *
 * @module
 */

/** Unused time that counts: what is not taken for that long may be taken at once, ms. As in Guava. */
const BURST_MS = 1000;

/** The limiter. Pure: the time is passed in, ms, and does not go back. */
export class RateLimiter {
  #perSecond: number;
  /** What may be taken; below 0 while what was taken is still to be earned. */
  #amount = 0;
  #atMs: number;

  /** Open, with nothing saved. `perSecond` is above 0. */
  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#atMs = nowMs;
  }

  /** The rate in force. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** Another rate, above 0, from now on. What was taken and is not earned stays owed, and is earned at the new rate. */
  setRate(perSecond: number, nowMs: number): void {
    this.#earn(nowMs);
    this.#perSecond = perSecond;
    this.#amount = Math.min(this.#amount, this.#burst);
  }

  /** `amount` is taken, also beyond what there is. */
  take(amount: number, nowMs: number): void {
    this.#earn(nowMs);
    this.#amount -= amount;
  }

  /** From now on no more than `amount` is owed: more cannot be under way. */
  oweAtMost(amount: number, nowMs: number): void {
    this.#earn(nowMs);
    this.#amount = Math.max(this.#amount, -amount);
  }

  /** Milliseconds until it is open; 0 when it is. */
  waitMs(nowMs: number): number {
    this.#earn(nowMs);
    return Math.max(0, -this.#amount * 1000 / this.#perSecond);
  }

  get #burst(): number {
    return this.#perSecond * BURST_MS / 1000;
  }

  #earn(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs += elapsedMs;
    this.#amount = Math.min(this.#burst, this.#amount + elapsedMs * this.#perSecond / 1000);
  }
}
