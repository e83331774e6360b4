/** The sizes of a local pool, and what is wrong with them. @module */

/** How large a local pool is. */
export interface LocalPoolOptions {
  /** Stands in messages and metrics. */
  readonly name: string;
  /** Guaranteed segments, from 1. */
  readonly minSegments: number;
  /** Most segments, overdraft not counted. Without it, the network pool's all. */
  readonly maxSegments?: number;
  /** Segments that the record in hand may take beyond the size. 0 when missing. */
  readonly maxOverdraft?: number;
  /** Buffers that one channel may hold before the pool is unavailable, where the channel names no limit. None when missing. */
  readonly maxPerChannel?: number;
}

/** Returns `value` when it is an integer from `least`; throws RangeError that names `what` and `pool` otherwise. */
export function integerFrom(least: number, what: string, value: number, pool: string): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(
    `Cannot size pool "${pool}": ${what} must be an integer from ${least}, but is ${value}`,
  );
}

/** As {@linkcode integerFrom}, where Infinity is allowed and means no bound. */
export function boundFrom(least: number, what: string, value: number, pool: string): number {
  return value === Infinity ? value : integerFrom(least, what, value, pool);
}
