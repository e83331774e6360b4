/**
 * Additive increase, multiplicative decrease, with the rule and the numbers of Netflix's `AIMDLimit` in a
 * `WindowedLimit`: a window with a refusal, or whose mean latency is over 5 s, takes the limit to `int(limit × 0.9)`; else
 * one in which at least half of the limit was in flight adds 1.
 *
 * It looks at latency only for that timeout, so it goes on to fill the sink's queue until the sink refuses.
 *
 * @module
 */
import { SampleWindow } from "./sample_window.ts";
import {
  checkBounds,
  type ControlBounds,
  withinBounds,
  type WriteController,
  type WriteSample,
} from "./write_controller.ts";

/** What a refusal leaves of the limit. */
export const BACKOFF_RATIO = 0.9;
/** A mean latency beyond it counts as a refusal, ms. */
export const LATENCY_TIMEOUT_MS = 5000;

/** Rises by one while nothing is refused. */
export class AimdController implements WriteController {
  readonly #bounds: ControlBounds;
  readonly #window: SampleWindow = new SampleWindow();
  #limit: number;

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

  update(sample: WriteSample): number {
    const window = this.#window.add(sample);
    if (window === null) return this.#limit;
    let next = this.#limit;
    if (window.refused || window.latencyMs > LATENCY_TIMEOUT_MS) next = Math.trunc(next * BACKOFF_RATIO);
    else if (window.inFlight * 2 >= next) next += 1;
    return this.#limit = withinBounds(next, this.#bounds);
  }
}
