/**
 * Vector's adaptive request concurrency (`src/sinks/util/adaptive_concurrency/controller.rs`) with its numbers. Once per
 * mean round trip the limit rises by 1 if it was reached, nothing was refused, and latency did not rise; it falls to
 * `floor(limit × 0.9)` if something was refused, or latency rose by 2.5 times its usual spread.
 *
 * One difference: there a latency that stays exactly the same, with no spread at all, counts as risen while the limit is
 * not reached or cannot rise, so that an idle sink loses what was learned. Here latency must be higher to have risen.
 *
 * @module
 */
import { MovingVariance } from "./moving_average.ts";
import {
  checkBounds,
  type ControlBounds,
  withinBounds,
  type WriteController,
  type WriteSample,
} from "./write_controller.ts";

/** What a decrease leaves of the limit. */
export const DECREASE_RATIO = 0.9;
/** Weight of a new round trip against those before. */
export const EWMA_ALPHA = 0.4;
/** So many standard deviations above its mean a latency has risen. */
export const DEVIATION_SCALE = 2.5;

/** Rises while latency holds; falls on refusal, and on latency beyond its usual spread. */
export class ArcController implements WriteController {
  readonly #bounds: ControlBounds;
  readonly #past: MovingVariance = new MovingVariance(EWMA_ALPHA);
  #limit: number;
  #nextMs = 0;
  #answered = 0;
  #latencySumMs = 0;
  #refused = false;
  #reached = false;

  /**
   * Starts at `initial`.
   * @throws {RangeError} the bounds are not in order.
   */
  constructor(bounds: ControlBounds) {
    checkBounds(bounds);
    this.#bounds = bounds;
    this.#limit = bounds.initial;
  }

  get limit(): number {
    return this.#limit;
  }

  update({ endMs, latencyMs, inFlight, refused }: WriteSample): number {
    if (inFlight >= this.#limit) this.#reached = true;
    if (refused) this.#refused = true;
    else {
      this.#answered++;
      this.#latencySumMs += latencyMs;
    }
    // Equal latencies must have an equal mean, which sums of fractions do not: to the microsecond they do.
    const meanMs = Math.round(this.#latencySumMs / this.#answered * 1000) / 1000;
    if (Number.isNaN(this.#past.mean)) {
      if (this.#answered === 0) return this.#limit;
      this.#past.add(meanMs);
      this.#nextMs = endMs + meanMs;
      return this.#limit;
    }
    if (endMs < this.#nextMs) return this.#limit;
    this.#limit = withinBounds(this.#next(meanMs), this.#bounds);
    if (this.#answered > 0) this.#past.add(meanMs);
    this.#nextMs = endMs + this.#past.mean;
    this.#answered = this.#latencySumMs = 0;
    this.#refused = this.#reached = false;
    return this.#limit;
  }

  /** `meanMs` is NaN, and so neither low nor high, when nothing was answered. */
  #next(meanMs: number): number {
    const { mean, deviation } = this.#past;
    if (this.#refused) return Math.floor(this.#limit * DECREASE_RATIO);
    if (this.#reached && meanMs <= mean) return this.#limit + 1;
    const rose = meanMs > mean && meanMs >= mean + DEVIATION_SCALE * deviation;
    return rose ? Math.floor(this.#limit * DECREASE_RATIO) : this.#limit;
  }
}
