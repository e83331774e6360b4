/**
 * All segments of the process, and who may have how many: Flink's `NetworkBufferPool`.
 *
 * A guarantee is given only if all guarantees together fit, so whoever opened can always finish. What is guaranteed
 * to nobody is shared among the pools that can use it, and shared anew whenever a guarantee comes or goes. A pool
 * that has to shrink gives back as its segments come home; nothing is taken from whoever holds it.
 *
 * Nothing blocks: a segment that is not there is null to who asks, and a promise to who waits.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { ClosedError, InsufficientSegmentsError } from "../core/errors.ts";
import { LocalBufferPool, type LocalPoolOptions } from "./local_buffer_pool.ts";
import type { Segment, SegmentOwner } from "./segment.ts";
import { SegmentBlock } from "./segment_block.ts";
import { type SegmentWait, takeWithin } from "./segment_wait.ts";
import { shareOut } from "./shares.ts";

export type { LocalPoolOptions } from "./local_buffer_pool.ts";
export { SegmentTimeoutError, type SegmentWait } from "./segment_wait.ts";

/** What a pool without maximum is expected to use, in minimums (Flink's estimate). */
const UNBOUNDED_POOL_MINIMUMS = 2;

/** The block of all segments, its guarantees, and its local pools. */
export class NetworkBufferPool {
  readonly #block: SegmentBlock;
  readonly #pools = new Set<LocalBufferPool>();
  #required = 0;
  #warnedPercent = 0;
  readonly #unpooled: SegmentOwner = {
    recycle: (segment) => {
      this.#block.turn.run(() => {
        this.#block.giveBack(segment);
        this.#require(-1);
      });
    },
  };

  /** Allocates `segments` of `segmentBytes` bytes each (a multiple of 4). Throws RangeError. */
  constructor(options: { readonly segments: number; readonly segmentBytes: number }) {
    this.#block = new SegmentBlock(options.segments, options.segmentBytes);
  }

  /** Segments in all. */
  get totalSegments(): number {
    return this.#block.totalSegments;
  }

  /** Bytes of a segment. */
  get segmentBytes(): number {
    return this.#block.segmentBytes;
  }

  /** Segments in no pool and in nobody's hands. */
  get freeSegments(): number {
    return this.#block.freeSegments;
  }

  /** Segments that local pools have, idle ones included, and unpooled ones: total - free. */
  get lentSegments(): number {
    return this.totalSegments - this.freeSegments;
  }

  /** Segments that are guaranteed: the minimums of all pools, and all unpooled ones. */
  get requiredSegments(): number {
    return this.#required;
  }

  /** Whether a segment is free and the pool is not destroyed. */
  get isAvailable(): boolean {
    return this.freeSegments > 0 && !this.#block.closed;
  }

  /** Resolves when a segment is free; one promise for all who ask meanwhile. Rejects with {@linkcode ClosedError} when the pool is destroyed. */
  whenAvailable(): Promise<void> {
    return this.#block.whenAvailable();
  }

  /** Local pools that are not destroyed, in order of creation. */
  pools(): IterableIterator<LocalBufferPool> {
    return this.#pools.values();
  }

  /**
   * Opens a pool with a guarantee of `minSegments`. Throws {@linkcode InsufficientSegmentsError} when that does not
   * fit beside the other guarantees, {@linkcode ClosedError} after `destroy`, RangeError when the sizes contradict.
   */
  createLocalPool(options: LocalPoolOptions): LocalBufferPool {
    this.#admit(`Cannot open stream "${options.name}"`, options.minSegments);
    const pool = new LocalBufferPool(this.#block, options, (left) => {
      this.#pools.delete(left);
      this.#require(-left.minSegments);
    }, (asking) => this.#missingOf(asking));
    this.#block.turn.run(() => {
      this.#pools.add(pool);
      this.#require(pool.minSegments);
    });
    return pool;
  }

  /**
   * Takes `segments` for good, beside all pools. They are guaranteed from now on, but others may hold them still:
   * resolves when all have come. Rejects with {@linkcode InsufficientSegmentsError} at once, with
   * `SegmentTimeoutError` or the signal's reason after giving everything back, with {@linkcode ClosedError}.
   */
  async requestUnpooled(segments: number, wait: SegmentWait): Promise<Segment[]> {
    const action = `Cannot take ${segments} unpooled segments`;
    if (!Number.isSafeInteger(segments) || segments < 0) {
      throw new RangeError(`${action}: their number must be an integer from 0, but is ${segments}`);
    }
    this.#admit(action, segments);
    const taken: Segment[] = [];
    this.#block.turn.run(() => this.#require(segments));
    try {
      await takeWithin(this.#block, action, () => this.#collect(taken, segments), wait);
    } catch (error) {
      this.#block.turn.run(() => {
        this.recycleUnpooled(taken);
        this.#require(taken.length - segments);
      });
      throw error;
    }
    return taken;
  }

  /** Releases each of `segments`, as their holder may also do itself; none is guaranteed any longer. */
  recycleUnpooled(segments: readonly Segment[]): void {
    this.#block.turn.run(() => {
      for (const segment of segments) segment.release();
    });
  }

  /** Percent of all segments that the pools would use at their maximums. An unbounded pool counts twice its minimum. */
  usage(): number {
    let segments = 0;
    for (const pool of this.#pools) {
      segments += pool.maxSegments === Infinity
        ? pool.minSegments * UNBOUNDED_POOL_MINIMUMS
        : pool.maxSegments;
    }
    return Math.floor(segments * 100 / this.totalSegments);
  }

  /** What an operator should be told of `usage` now: once for each value from 100 on, and once when it is below again. Null when nothing is new. */
  getUsageWarning(): string | null {
    const percent = this.usage();
    const before = this.#warnedPercent;
    this.#warnedPercent = percent < 100 ? 0 : percent;
    if (this.#warnedPercent === before) return null;
    if (percent < 100) return `The streams' pools ask for ${percent} % of buffers.segments: back to normal`;
    return `The streams' pools ask for ${percent} % of buffers.segments, so not all can grow to their maximum ` +
      `at once; raise buffers.segments above ${this.totalSegments}, or lower maxSegments`;
  }

  /** Destroys the pools that are left and lends nothing more. What is lent still comes home. Destroying twice is harmless. */
  destroy(): void {
    if (this.#block.closed) return;
    this.#block.turn.run(() => {
      for (const pool of this.#pools) pool.lazyDestroy();
      this.#block.close();
    });
  }

  /** The same as `destroy`. */
  [Symbol.dispose](): void {
    this.destroy();
  }

  /** Segments that pools other than `asking` are guaranteed and do not have. */
  #missingOf(asking: LocalBufferPool): number {
    let missing = 0;
    for (const pool of this.#pools) {
      if (pool !== asking) missing += Math.max(0, pool.minSegments - pool.requestedSegments);
    }
    return missing;
  }

  #admit(action: string, segments: number): void {
    if (this.#block.closed) {
      throw new ClosedError(`${action}: the network buffer pool is destroyed; open a new one`);
    }
    const available = this.totalSegments - this.#required;
    if (segments > available) {
      throw new InsufficientSegmentsError(action, segments, available, this.totalSegments);
    }
  }

  #collect(taken: Segment[], wanted: number): boolean {
    if (this.#block.closed) {
      throw new ClosedError(
        `Cannot wait for unpooled segments: the network buffer pool is destroyed; use a new one`,
      );
    }
    while (taken.length < wanted) {
      const segment = this.#block.take();
      if (segment === null) return false;
      segment.lend(this.#unpooled);
      segment.fillSeq = this.#block.nextFillSeq();
      taken.push(segment);
    }
    return true;
  }

  /** Guarantees `change` segments more or fewer, and shares the rest anew. */
  #require(change: number): void {
    this.#required += change;
    assert(
      this.#required >= 0 && this.#required <= this.totalSegments,
      "guarantees together fit the network pool",
    );
    const pools = [...this.#pools];
    const headrooms = pools.map((pool) => pool.maxSegments - pool.minSegments);
    const shares = shareOut(this.totalSegments - this.#required, headrooms);
    pools.forEach((pool, k) => pool.setSize(pool.minSegments + shares[k]));
  }
}
