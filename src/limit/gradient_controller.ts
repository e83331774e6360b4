/**
 * Netflix's `Gradient2Limit` with its numbers: the limit follows the ratio of the latency over a long time to the latency
 * now, and grows by a queue of 4 while they are alike. Over the samples of a window, as `WindowedLimit` gives them.
 *
 * One difference: there a refusal is ignored, so a sink that refuses at once, and so answers fast, is asked for more and
 * more. Here a window with a refusal takes the limit to 0.9 of itself, and its latencies are not looked at.
 *
 * @module
 */
import { MovingAverage } from "./moving_average.ts";
import { SampleWindow } from "./sample_window.ts";
import {
  checkBounds,
  type ControlBounds,
  withinBounds,
  type WriteController,
  type WriteSample,
} from "./write_controller.ts";

/** Weight of a new limit against the one before. */
export const SMOOTHING = 0.2;
/** Writes that may wait in the sink: what the limit grows by. */
export const QUEUE_SIZE = 4;
/** Windows of the long average. */
export const LONG_WINDOW = 600;
/** Windows of the long average that weigh alike. */
export const LONG_WARM_UP = 10;
/** The latency now may be so many times the long one before the limit falls. */
export const LATENCY_TOLERANCE = 1.5;
/** The long average gives way by this factor while it is over twice the latency now. */
export const LONG_DECAY = 0.95;
/** What a refusal leaves of the limit. */
export const BACKOFF_RATIO = 0.9;

/** The limit after `limit` when latency is `shortMs` now and `longMs` over a long time. */
export function gradientStep(limit: number, longMs: number, shortMs: number): number {
  const gradient = Math.max(0.5, Math.min(1, LATENCY_TOLERANCE * longMs / shortMs));
  return limit * (1 - SMOOTHING) + (limit * gradient + QUEUE_SIZE) * SMOOTHING;
}

/** Follows the ratio of long to short latency; falls on refusal. */
export class GradientController implements WriteController {
  readonly #bounds: ControlBounds;
  readonly #window: SampleWindow = new SampleWindow();
  readonly #long: MovingAverage = new MovingAverage(LONG_WINDOW, LONG_WARM_UP);
  /** With its fraction, which adds up to whole writes over windows. */
  #estimate: number;

  /**
   * Starts at `initial`.
   * @throws {RangeError} the bounds are not in order.
   */
  constructor(bounds: ControlBounds) {
    checkBounds(bounds);
    this.#bounds = bounds;
    this.#estimate = bounds.initial;
  }

  get limit(): number {
    return Math.floor(this.#estimate);
  }

  update(sample: WriteSample): number {
    const window = this.#window.add(sample);
    if (window === null) return this.limit;
    if (window.refused) {
      this.#estimate = withinBounds(this.#estimate * BACKOFF_RATIO, this.#bounds);
      return this.limit;
    }
    const shortMs = window.latencyMs;
    const longMs = this.#long.add(shortMs);
    if (longMs > 2 * shortMs) this.#long.scale(LONG_DECAY);
    if (window.inFlight >= this.#estimate / 2) {
      this.#estimate = withinBounds(gradientStep(this.#estimate, longMs, shortMs), this.#bounds);
    }
    return this.limit;
  }
}
