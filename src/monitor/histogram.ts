/**
 * A histogram whose buckets are fixed when it is made, so that observing is one search and three additions on
 * numbers that already exist: the hot path may call it, a scrape only reads.
 *
 * @module
 */
import { assert } from "../core/assert.ts";

/**
 * Upper bounds in seconds for writes and deliveries: a local file answers within a millisecond, and a sink that was
 * down for some minutes still falls into a bucket that tells it apart.
 */
export const LATENCY_BOUNDS_SECONDS: readonly number[] = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
  300,
];

/** What a {@linkcode Histogram} held at one moment. */
export interface HistogramSnapshot {
  /** Upper bounds, rising; each bucket includes its bound. */
  readonly bounds: readonly number[];
  /** Weight per bucket, not cumulated: one per bound, then one for what is above the last. */
  readonly counts: readonly number[];
  /** Sum of value × weight. */
  readonly sum: number;
  /** Sum of the weights. */
  readonly count: number;
}

/** Counts values in buckets. */
export class Histogram {
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  /**
   * A histogram without observations.
   *
   * @param bounds upper bounds, finite and rising; the bucket above the last is implied.
   */
  constructor(bounds: readonly number[] = LATENCY_BOUNDS_SECONDS) {
    assert(
      bounds.length > 0 &&
        bounds.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > bounds[i - 1])),
      "histogram bounds are finite and rise",
    );
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** Adds `value`, as if seen `weight` times: a batch of n records that took equally long is one call. */
  observe(value: number, weight = 1): void {
    assert(!Number.isNaN(value) && weight >= 0, "a histogram observes numbers with weights of at least 0");
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= bounds[middle]) high = middle;
      else low = middle + 1;
    }
    this.#counts[low] += weight;
    this.#sum += value * weight;
    this.#count += weight;
  }

  /** A copy of the counts. */
  snapshot(): HistogramSnapshot {
    return { bounds: [...this.#bounds], counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}

/** The sum of histograms that share their bounds, as the writers of one sink do. */
export function mergeHistograms(a: HistogramSnapshot, b: HistogramSnapshot): HistogramSnapshot {
  assert(
    a.bounds.length === b.bounds.length && a.bounds.every((bound, i) => bound === b.bounds[i]),
    "merged histograms have the same bounds",
  );
  return {
    bounds: a.bounds,
    counts: a.counts.map((count, i) => count + b.counts[i]),
    sum: a.sum + b.sum,
    count: a.count + b.count,
  };
}

/**
 * The value that the fraction `q` (0 to 1) of all weight does not exceed, interpolated inside its bucket as
 * Prometheus' `histogram_quantile` does; what is above the last bound counts as the last bound. Null when empty.
 */
export function quantile(snapshot: HistogramSnapshot, q: number): number | null {
  const { bounds, counts, count } = snapshot;
  if (count === 0) return null;
  const rank = q * count;
  let below = 0;
  for (let i = 0; i < bounds.length; i++) {
    if (counts[i] > 0 && below + counts[i] >= rank) {
      const floor = i === 0 ? Math.min(0, bounds[0]) : bounds[i - 1];
      return floor + (bounds[i] - floor) * ((rank - below) / counts[i]);
    }
    below += counts[i];
  }
  return bounds[bounds.length - 1];
}
