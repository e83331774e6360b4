/**
 * What a controller of writes in flight is: it is told how each write ended, and says how many may be in flight. Time
 * comes with the samples, so a controller has no clock, no timer and nothing to close, and a test runs it on paper.
 *
 * A controller that hears nothing stands still. None goes below `min`, which is at least 1, so a sink always gets writes
 * from which the way back up is learned.
 *
 * @module
 */

/** How a write ended. */
export interface WriteSample {
  /** When it ended, ms of any clock that does not step back. */
  readonly endMs: number;
  /** How long it took, ms. A latency of the sink only where the write was not refused. */
  readonly latencyMs: number;
  /** Writes in flight as it ended, itself counted. */
  readonly inFlight: number;
  /** Whether the sink refused it for load, or did not answer. */
  readonly refused: boolean;
}

/** Where a controller starts and what it keeps to: `1 <= min <= initial <= max`, whole numbers. */
export interface ControlBounds {
  /** Writes in flight at the start. */
  readonly initial: number;
  /** Fewest writes in flight. */
  readonly min: number;
  /** Most writes in flight. */
  readonly max: number;
}

/** Bounds the writes in flight of one sink, over all its writers. */
export interface WriteController {
  /** Writes that may be in flight now: whole, from `min` to `max`. */
  readonly limit: number;
  /** Learns from one write, and returns the limit from now on. */
  update(sample: WriteSample): number;
}

/** Refuses bounds that are no whole numbers in order. @throws {RangeError} */
export function checkBounds({ initial, min, max }: ControlBounds): void {
  const whole = [initial, min, max].every(Number.isSafeInteger);
  if (whole && min >= 1 && min <= initial && initial <= max) return;
  throw new RangeError(
    `cannot control writes in flight: min, initial and max must be whole numbers in this order, min at least 1, ` +
      `but are ${min}, ${initial} and ${max}`,
  );
}

/** `limit` kept within `bounds`. */
export function withinBounds(limit: number, { min, max }: ControlBounds): number {
  return Math.max(min, Math.min(max, limit));
}
