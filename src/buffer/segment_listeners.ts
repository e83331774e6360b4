/**
 * Who waits for one segment. First come, first served, and one each: whoever wants another joins again, behind the
 * others. So a greedy consumer cannot starve the rest (Flink's `BufferListener`).
 *
 * @module
 */
import type { Segment } from "./segment.ts";

/** Waits for one segment. */
export interface SegmentListener {
  /** Here is a segment, held once; true takes it over. False leaves it to the next listener, and ends the turn of this one. */
  onSegment(segment: Segment): boolean;
  /** There will be none: the pool was destroyed. */
  onDestroyed(): void;
}

/** The queue of listeners. */
export class SegmentListeners {
  readonly #queue: SegmentListener[] = [];

  /** Listeners that wait. */
  get length(): number {
    return this.#queue.length;
  }

  /** Joins the queue. */
  add(listener: SegmentListener): void {
    this.#queue.push(listener);
  }

  /** Offers `segment` to the first listener, which leaves the queue. What it refuses is released. */
  offer(segment: Segment): void {
    if (!this.#queue.shift()!.onSegment(segment)) segment.release();
  }

  /** Empties the queue; returns who was in it. */
  drain(): SegmentListener[] {
    return this.#queue.splice(0);
  }
}
