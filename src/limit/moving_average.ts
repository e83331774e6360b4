/** Exponential averages that controllers remember latencies by. They hold two numbers whatever they have seen. @module */

/** Mean and variance of a series in which older values weigh less and less. */
export class MovingVariance {
  readonly #alpha: number;
  #mean = NaN;
  #variance = 0;

  /** A new value weighs `alpha`, above 0 and below 1. */
  constructor(alpha: number) {
    this.#alpha = alpha;
  }

  /** The mean; NaN before the first value. */
  get mean(): number {
    return this.#mean;
  }

  /** The standard deviation; 0 before the second value. */
  get deviation(): number {
    return Math.sqrt(this.#variance);
  }

  /** Takes a value in. */
  add(value: number): void {
    if (Number.isNaN(this.#mean)) {
      this.#mean = value;
      return;
    }
    const difference = value - this.#mean;
    const increment = this.#alpha * difference;
    this.#mean += increment;
    this.#variance = (1 - this.#alpha) * (this.#variance + difference * increment);
  }
}

/** An average over a window of values, plain for the first ones, exponential with weight `2 / (window + 1)` after. */
export class MovingAverage {
  readonly #weight: number;
  readonly #warmUp: number;
  #count = 0;
  #value = 0;

  /** The first `warmUp` values, at least 1, are averaged plainly. */
  constructor(window: number, warmUp: number) {
    this.#weight = 2 / (window + 1);
    this.#warmUp = warmUp;
  }

  /** Takes a value in, and returns the average. */
  add(value: number): number {
    const weight = this.#count < this.#warmUp ? 1 / ++this.#count : this.#weight;
    return this.#value += (value - this.#value) * weight;
  }

  /** Multiplies the average. */
  scale(factor: number): void {
    this.#value *= factor;
  }
}
