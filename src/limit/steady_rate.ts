/**
 * A rate that follows another one slowly, whenever it is looked at: what is planned by it must not jump with every pause
 * of the other.
 *
 * @module
 */

/** An average over time; it holds two numbers. */
export class SteadyRate {
  readonly #settleMs: number;
  #rate = 0;
  #atMs = 0;

  /** After `settleMs` two thirds of a change are followed. */
  constructor(settleMs: number) {
    this.#settleMs = settleMs;
  }

  /** The average now that the rate is `rate`; the first one above 0 is taken as it is. */
  follow(rate: number, nowMs: number): number {
    const weight = this.#rate === 0 ? 1 : 1 - Math.exp((this.#atMs - nowMs) / this.#settleMs);
    this.#rate += (rate - this.#rate) * weight;
    this.#atMs = nowMs;
    return this.#rate;
  }
}
