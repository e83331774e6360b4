/**
 * How many records a second a source may bring, from how a sink did with the batches before: the rate estimator of
 * Spark Streaming (`PIDRateEstimator`), with its numbers.
 *
 * The error is what the last rate was beyond what the sink processed; what waits is an error of the past, so the time
 * that a batch waited for its turn stands for the integral. With Spark's gains (1, 0.2, 0) the new rate is what the
 * sink just did, less a fifth of what waits, a second: it follows at once, and works off a queue in a few seconds.
 *
 * A wait that a limiter caused says nothing of the sink: whoever samples leaves it out of the scheduling delay.
 *
 * @module
 */

/** A rate beyond is of work too short to measure: it would end as a number that is none. */
const MAX_RATE = 1e12;

/** How a controller weighs what it sees. */
export interface PidOptions {
  /** Time between two samples, about; ms, above 0. */
  readonly batchMs: number;
  /** Lowest rate that it ever sets: at none, no batch would come to learn from. Records per second, above 0. */
  readonly minRate: number;
  /** Weight of what the last rate was too high by; 1 when not given. */
  readonly proportional?: number;
  /** Weight of what waits; 0.2 when not given. */
  readonly integral?: number;
  /** Weight of the change of the error; 0 when not given, as it makes noise worse. */
  readonly derivative?: number;
}

/** What a sink did since the last sample. */
export interface PidSample {
  /** When it was done, ms. */
  readonly atMs: number;
  /** Records that it took, or refused for good. */
  readonly records: number;
  /** How long that kept it busy, ms. */
  readonly processingMs: number;
  /** How long they had been ready to be written when they were, ms, without waits that a limiter caused. */
  readonly schedulingDelayMs: number;
}

/** The controller. Pure: it has no clock, and samples carry their time. */
export class PidController {
  readonly #options: Required<PidOptions>;
  #rate: number | null = null;
  #lastMs = -Infinity;
  #lastError = 0;

  /**
   * Has no rate until it has seen two samples.
   * @throws {RangeError} a weight is below 0, or `batchMs` or `minRate` is not above 0.
   */
  constructor(options: PidOptions) {
    this.#options = { proportional: 1, integral: 0.2, derivative: 0, ...options };
    const { batchMs, minRate, proportional, integral, derivative } = this.#options;
    for (const [name, value] of Object.entries({ batchMs, minRate })) {
      if (!(value > 0)) throw new RangeError(`PidController: ${name} must be above 0, but is ${value}`);
    }
    for (const [name, value] of Object.entries({ proportional, integral, derivative })) {
      if (!(value >= 0)) throw new RangeError(`PidController: ${name} must be at least 0, but is ${value}`);
    }
  }

  /** The rate that follows from all samples so far, records per second; null before the first. */
  get rate(): number | null {
    return this.#rate;
  }

  /**
   * The rate from now on, records per second, or null when `sample` says nothing: the first one, one that is not later
   * than the one before, and one without records or time.
   */
  sample({ atMs, records, processingMs, schedulingDelayMs }: PidSample): number | null {
    if (!(atMs > this.#lastMs && records > 0 && processingMs > 0)) return null;
    const { batchMs, minRate, proportional, integral, derivative } = this.#options;
    const processed = Math.min(MAX_RATE, records / processingMs * 1000);
    const last = this.#rate;
    const sinceSeconds = (atMs - this.#lastMs) / 1000;
    this.#lastMs = atMs;
    if (last === null) {
      this.#rate = processed;
      return null;
    }
    const error = last - processed;
    const waiting = schedulingDelayMs * processed / batchMs;
    const change = (error - this.#lastError) / sinceSeconds;
    this.#lastError = error;
    this.#rate = Math.max(minRate, last - proportional * error - integral * waiting - derivative * change);
    return this.#rate;
  }
}
