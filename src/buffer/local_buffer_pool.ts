/**
 * A stream's share of memory: at least `minSegments`, at most `maxSegments`, and now `size`, which the network pool
 * sets as streams come and go. The semantics are those of Flink's `LocalBufferPool`.
 *
 * A pool is available when it has an idle segment and none of its channels is full. So that this one bit tells the
 * truth, a pool below its size always fetches one segment ahead. A record that was begun may take up to
 * `maxOverdraft` segments beyond the size, as it can neither be finished nor undone halfway down the pipeline.
 *
 * A pool that shrinks takes nothing from those who hold segments: each segment above the size goes back to the
 * network pool when it comes home. Then a returning segment is offered to the listeners, first come first served;
 * only what none of them takes lies idle.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { ClosedError } from "../core/errors.ts";
import { PoolAvailability } from "./pool_availability.ts";
import { PoolChannel } from "./pool_channel.ts";
import { boundFrom, integerFrom, type LocalPoolOptions } from "./pool_options.ts";
import type { Segment, SegmentOwner } from "./segment.ts";
import type { SegmentBlock } from "./segment_block.ts";
import { type SegmentListener, SegmentListeners } from "./segment_listeners.ts";
import { type SegmentWait, takeWithin } from "./segment_wait.ts";

export type { PoolChannel } from "./pool_channel.ts";
export type { LocalPoolOptions } from "./pool_options.ts";
export type { SegmentListener } from "./segment_listeners.ts";

/** A bounded share of a network pool. Made by `NetworkBufferPool.createLocalPool`. */
export class LocalBufferPool implements SegmentOwner {
  /** Stands in messages and metrics. */
  readonly name: string;
  /** Guaranteed segments. */
  readonly minSegments: number;
  /** Most segments, overdraft not counted; Infinity when unbounded. */
  readonly maxSegments: number;
  /** Segments that the record in hand may take beyond the size. */
  readonly maxOverdraft: number;
  /** Limit of a channel that names none. */
  readonly maxPerChannel: number;
  /** Bytes of a segment. */
  readonly segmentBytes: number;
  readonly #block: SegmentBlock;
  readonly #leave: (pool: LocalBufferPool) => void;
  readonly #othersMissing: (pool: LocalBufferPool) => number;
  readonly #destruction = new AbortController();
  readonly #idle: Segment[] = [];
  /** Entries of `#idle` behind it are stale: an array that shrinks and grows would be allocated anew. */
  #idleCount = 0;
  #requested = 0;
  #size: number;
  #fullChannels = 0;
  #destroyed = false;
  #offerOwed = false;
  readonly #listeners = new SegmentListeners();
  readonly #availability: PoolAvailability;

  /**
   * `leave` is told when the pool is destroyed; `othersMissing` gives the segments that other pools are guaranteed and
   * do not have. Throws RangeError when the sizes contradict each other.
   */
  constructor(
    block: SegmentBlock,
    options: LocalPoolOptions,
    leave: (pool: LocalBufferPool) => void,
    othersMissing: (pool: LocalBufferPool) => number,
  ) {
    this.#othersMissing = othersMissing;
    this.name = options.name;
    this.minSegments = integerFrom(1, "minSegments", options.minSegments, this.name);
    this.maxSegments = boundFrom(this.minSegments, "maxSegments", options.maxSegments ?? Infinity, this.name);
    this.maxOverdraft = integerFrom(0, "maxOverdraft", options.maxOverdraft ?? 0, this.name);
    this.maxPerChannel = boundFrom(1, "maxPerChannel", options.maxPerChannel ?? Infinity, this.name);
    this.segmentBytes = block.segmentBytes;
    this.#block = block;
    this.#leave = leave;
    this.#size = this.minSegments;
    this.#availability = new PoolAvailability(block.turn);
    this.#refresh();
  }

  /** Segments that the pool may have now: its minimum, and its part of what is guaranteed to nobody. */
  get size(): number {
    return this.#size;
  }

  /** Segments taken from the network pool and not given back: idle + lent. */
  get requestedSegments(): number {
    return this.#requested;
  }

  /** Segments at hand. */
  get idleSegments(): number {
    return this.#idleCount;
  }

  /** Segments that somebody holds. */
  get lentSegments(): number {
    return this.#requested - this.#idleCount;
  }

  /** Segments beyond the size, by overdraft or after a shrink. */
  get overdraftSegments(): number {
    return Math.max(0, this.#requested - this.#size);
  }

  /** Segment listeners that wait. */
  get waitingListeners(): number {
    return this.#listeners.length;
  }

  /** Whether the pool was destroyed: it lends nothing any more. */
  get destroyed(): boolean {
    return this.#destroyed;
  }

  /** Whether a segment is idle, no channel is full, and the pool is not destroyed. */
  get isAvailable(): boolean {
    return this.#availability.isAvailable;
  }

  /** Resolves when the pool is available; one promise for all who ask meanwhile. Rejects with {@linkcode ClosedError} when it is destroyed. */
  whenAvailable(): Promise<void> {
    return this.#availability.promise();
  }

  /**
   * A segment, held once: `Segment.release` brings it back. Null when there is none, or the pool is destroyed.
   * At its size, the pool takes one beyond it where `overdraft` and `maxOverdraft` allow. A full channel does not refuse.
   */
  tryRequest(overdraft = true): Segment | null {
    if (this.#idleCount === 0 && !(overdraft && this.#takeOverdraft())) return null;
    const segment = this.#lendIdle();
    this.#refresh();
    return segment;
  }

  /** Takes back a segment that nobody holds; called by `Segment.release`. */
  recycle(segment: Segment): void {
    assert(
      segment.holders === 0,
      `segment ${segment.index} is recycled while ${segment.holders} still hold it`,
    );
    assert(this.lentSegments > 0, `pool "${this.name}" takes back no more segments than it lent`);
    if (this.#destroyed || this.#requested > this.#size) {
      this.#requested--;
      this.#block.giveBack(segment);
    } else {
      this.#idle[this.#idleCount++] = segment;
    }
    this.#refresh();
    this.#block.turn.settle();
  }

  /** An account for one consumer, which is full at `maxBuffers`. */
  openChannel(maxBuffers: number = this.maxPerChannel): PoolChannel {
    boundFrom(1, "maxBuffers", maxBuffers, this.name);
    return new PoolChannel(maxBuffers, (change) => {
      this.#fullChannels += change;
      this.#refresh();
      this.#block.turn.settle();
    });
  }

  /** Has `listener` wait for one segment. False when one is idle, to be requested instead, or the pool is destroyed. */
  addListener(listener: SegmentListener): boolean {
    if (this.#destroyed || this.#idleCount > 0) return false;
    this.#listeners.add(listener);
    return true;
  }

  /**
   * Calls `run` each time that the pool becomes available, when all pools have finished changing; what `run` itself
   * does is not a reason to call it again. Another listener may have been faster: look, and look again before you
   * return. It runs within the call that recycled: what that caller has in hand must not be touched. A pool that is
   * destroyed calls nobody. Returns what removes `run`.
   */
  addAvailabilityListener(run: () => void): () => void {
    return this.#availability.addListener(run);
  }

  /**
   * Sets the size to `segments`, at most `maxSegments`; for the network pool. Idle segments above it go back at once,
   * lent ones as they come home. Throws RangeError below `minSegments`.
   */
  setSize(segments: number): void {
    integerFrom(this.minSegments, "size", segments, this.name);
    this.#block.turn.run(() => {
      this.#size = Math.min(segments, this.maxSegments);
      this.#giveBackIdle(this.#size);
      this.#refresh();
    });
  }

  /**
   * Fetches until the pool has `segments`, lent ones included, so that it can start whatever others do. Throws
   * RangeError above `minSegments`. Rejects with {@linkcode ClosedError}, `SegmentTimeoutError` or the signal's reason.
   */
  async reserve(segments: number, wait: SegmentWait): Promise<void> {
    const action = `Cannot reserve ${segments} segments of pool "${this.name}"`;
    if (segments > this.minSegments) {
      throw new RangeError(
        `${action}: only its minSegments are guaranteed, which are ${this.minSegments}; reserve fewer, or raise them`,
      );
    }
    const destruction = this.#destruction.signal;
    const signal = wait.signal ? AbortSignal.any([wait.signal, destruction]) : destruction;
    const fetch = (): boolean => {
      while (this.#requested < segments && this.#fetch());
      this.#refresh();
      return this.#requested >= segments;
    };
    await takeWithin(this.#block, action, fetch, { ...wait, signal });
  }

  /**
   * Lends nothing more, gives back what is idle, and tells who waits. Lent segments go home to the network pool as
   * they are released. Destroying twice is harmless.
   */
  lazyDestroy(): void {
    if (this.#destroyed) return;
    this.#block.turn.run(() => {
      this.#destroyed = true;
      this.#giveBackIdle(0);
      for (const listener of this.#listeners.drain()) {
        this.#block.turn.later(() => listener.onDestroyed());
      }
      const error = new ClosedError(
        `Cannot wait for a segment of pool "${this.name}": it is destroyed; open a new one`,
      );
      this.#availability.destroy(error);
      this.#destruction.abort(error);
      this.#leave(this);
    });
  }

  /** The same as `lazyDestroy`. */
  [Symbol.dispose](): void {
    this.lazyDestroy();
  }

  /** Restores what defines the pool: one fetched ahead, idle segments offered to who waits, availability told. */
  #refresh(): void {
    if (this.#destroyed) return;
    if (this.#idleCount === 0 && this.#requested < this.#size && !this.#fetch()) {
      this.#block.onFree(this.#onFree);
    }
    if (this.#idleCount > 0 && this.#listeners.length > 0) {
      if (!this.#offerOwed) this.#block.turn.later(this.#offer);
      this.#offerOwed = true;
      return;
    }
    this.#availability.update(this.#idleCount > 0 && this.#fullChannels === 0);
  }

  readonly #onFree = (): void => this.#refresh();

  readonly #offer = (): void => {
    this.#offerOwed = false;
    try {
      while (this.#idleCount > 0 && this.#listeners.length > 0) {
        this.#listeners.offer(this.#lendIdle());
      }
    } finally {
      this.#refresh();
    }
  };

  #lendIdle(): Segment {
    const segment = this.#idle[--this.#idleCount];
    segment.lend(this);
    segment.fillSeq = this.#block.nextFillSeq();
    return segment;
  }

  #takeOverdraft(): boolean {
    // Unlike Flink's, it never takes what another pool is guaranteed: a stalled stream must not slow its neighbour.
    return this.#requested - this.#size < this.maxOverdraft &&
      this.#block.freeSegments > this.#othersMissing(this) && this.#fetch();
  }

  #fetch(): boolean {
    // Its segments would never come home (FLINK-19964).
    if (this.#destroyed) return false;
    const segment = this.#block.take();
    if (segment === null) return false;
    this.#idle[this.#idleCount++] = segment;
    this.#requested++;
    return true;
  }

  /** Gives back idle segments while more than `keep` are requested. */
  #giveBackIdle(keep: number): void {
    while (this.#requested > keep && this.#idleCount > 0) {
      this.#requested--;
      this.#block.giveBack(this.#idle[--this.#idleCount]);
    }
  }
}
