/**
 * Puts samples together before a controller acts on them, as Netflix's `WindowedLimit` does: at least 1 s and 10 samples,
 * latencies under 100 µs left out as they were answered without the sink.
 *
 * Without windows a rule per sample would grow by one for every write, double within a round trip, and fall by 0.9 for
 * each write of a round that was refused as a whole. One refusal is evidence enough, so a window that holds one does not
 * wait for 10 samples: a sink that refuses is asked less and less often, and would be believed too late.
 *
 * @module
 */
import type { WriteSample } from "./write_controller.ts";

/** A window is at least this long, ms. */
export const WINDOW_MS = 1000;
/** A window without refusal holds at least so many answers. */
export const WINDOW_SAMPLES = 10;
/** A write that took less was not answered by a sink that is far away, ms. */
export const MIN_LATENCY_MS = 0.1;

/** The samples of one window together. */
export interface WindowSummary {
  /** Mean latency of the writes that were answered, ms; NaN when none was. */
  readonly latencyMs: number;
  /** Most writes in flight. */
  readonly inFlight: number;
  /** Whether one was refused. */
  readonly refused: boolean;
}

/** Collects samples until a window is full. */
export class SampleWindow {
  #startMs = NaN;
  #answered = 0;
  #latencySumMs = 0;
  #inFlight = 0;
  #refused = false;

  /** Takes a sample in; returns the summary of the window that it fills, and begins the next one; else null. */
  add({ endMs, latencyMs, inFlight, refused }: WriteSample): WindowSummary | null {
    if (Number.isNaN(this.#startMs)) this.#startMs = endMs - latencyMs;
    if (refused) this.#refused = true;
    else if (latencyMs >= MIN_LATENCY_MS) {
      this.#answered++;
      this.#latencySumMs += latencyMs;
    } else return null;
    this.#inFlight = Math.max(this.#inFlight, inFlight);
    const isFull = this.#refused || this.#answered >= WINDOW_SAMPLES;
    if (!isFull || endMs - this.#startMs < WINDOW_MS) return null;
    const summary = {
      latencyMs: this.#latencySumMs / this.#answered,
      inFlight: this.#inFlight,
      refused: this.#refused,
    };
    this.#startMs = endMs;
    this.#answered = this.#latencySumMs = this.#inFlight = 0;
    this.#refused = false;
    return summary;
  }
}
