/**
 * All memory for records: one block, cut into segments once, and the stack of those that nobody holds.
 *
 * The system gives a page when it is first written, so a block of 64 MiB costs nothing until it is used. What came
 * back last is lent first: the pages that stay resident are as many as were really in use at one time.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { ClosedError } from "../core/errors.ts";
import { Segment } from "./segment.ts";
import { SharedWait } from "./shared_wait.ts";
import { Turn } from "./turn.ts";

/** The block, its free segments, and who waits for one. */
export class SegmentBlock {
  /** Segments in the block. */
  readonly totalSegments: number;
  /** Bytes of each. */
  readonly segmentBytes: number;
  /** What the pools on this block owe their listeners. */
  readonly turn: Turn = new Turn();
  readonly #free: Segment[];
  #freeCount: number;
  #fillSeq = 0;
  #closed = false;
  readonly #takers = new Set<() => void>();
  readonly #waiting = new SharedWait();
  #serveOwed = false;

  /** Allocates the block. Throws RangeError when the sizes cannot be used or the memory is not to be had. */
  constructor(segments: number, segmentBytes: number) {
    if (!Number.isSafeInteger(segments) || segments < 1) {
      throw new RangeError(
        `Cannot allocate segments: their number must be an integer from 1, but is ${segments}`,
      );
    }
    if (!Number.isSafeInteger(segmentBytes) || segmentBytes < 4 || segmentBytes % 4 !== 0) {
      throw new RangeError(
        `Cannot allocate segments: segmentBytes must be a positive multiple of 4, but is ${segmentBytes}`,
      );
    }
    this.totalSegments = segments;
    this.segmentBytes = segmentBytes;
    const block = allocate(segments, segmentBytes);
    this.#free = Array.from({ length: segments }, (_, k) => {
      const index = segments - 1 - k;
      return new Segment(index, block, index * segmentBytes, segmentBytes);
    });
    this.#freeCount = segments;
  }

  /** Segments that nobody holds. */
  get freeSegments(): number {
    return this.#freeCount;
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** A free segment, not lent yet; null when there is none. */
  take(): Segment | null {
    return this.#freeCount === 0 ? null : this.#free[--this.#freeCount];
  }

  /** Takes back what `take` gave. The caller settles the turn. */
  giveBack(segment: Segment): void {
    assert(
      segment.holders === 0,
      `segment ${segment.index} comes home while ${segment.holders} still hold it`,
    );
    assert(this.#freeCount < this.totalSegments, "no more segments come home than the block has");
    this.#free[this.#freeCount++] = segment;
    this.#oweService();
  }

  /** Number of the next filling of a segment, from 1; none comes twice. At 100,000 a second a safe integer lasts 2,800 years. */
  nextFillSeq(): number {
    return ++this.#fillSeq;
  }

  /** Calls `taker` once when a segment is free, in the order of asking; it takes what it wants, or leaves it to the next. */
  onFree(taker: () => void): void {
    if (!this.#closed) this.#takers.add(taker);
  }

  /** Forgets a taker that wants nothing any more. */
  forgetTaker(taker: () => void): void {
    this.#takers.delete(taker);
  }

  /** Resolves when a segment is free; one promise for all who ask meanwhile. Rejects with {@linkcode ClosedError}. */
  whenAvailable(): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#freeCount > 0) return Promise.resolve();
    return this.#waiting.promise();
  }

  /** Tells whoever waits that there will be none. Segments still come home. */
  close(): void {
    this.#closed = true;
    this.#waiting.reject(closedError());
    for (const taker of this.#takers) this.turn.later(taker);
    this.#takers.clear();
  }

  #oweService(): void {
    if (this.#serveOwed || this.#closed || (this.#takers.size === 0 && !this.#waiting.isAwaited)) return;
    this.#serveOwed = true;
    this.turn.later(this.#serve);
  }

  readonly #serve = (): void => {
    this.#serveOwed = false;
    for (const taker of this.#takers) {
      if (this.#freeCount === 0) return;
      this.#takers.delete(taker);
      taker();
    }
    if (this.#freeCount > 0) this.#waiting.resolve();
  };
}

function allocate(segments: number, segmentBytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(segments * segmentBytes);
  } catch (cause) {
    throw new RangeError(
      `Cannot allocate ${segments} segments of ${segmentBytes} bytes: the system refuses a block of ` +
        `${segments * segmentBytes} bytes; lower buffers.segments or buffers.segmentBytes`,
      { cause },
    );
  }
}

function closedError(): ClosedError {
  return new ClosedError(
    "Cannot wait for a segment: the network buffer pool is destroyed; wait on a new one",
  );
}
