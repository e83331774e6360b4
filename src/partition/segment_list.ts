/**
 * The segments that a writer holds, oldest first; the last one is open. Each is held once by the list, beside whatever
 * buffers are cut from it.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import type { Segment } from "../buffer/segment.ts";

/** Gives a segment, held once for the caller, or null when there is none now. */
export type SegmentSource = () => Segment | null;

/** A list of held segments. */
export class SegmentList {
  readonly #take: SegmentSource;
  readonly #segments: Segment[] = [];
  readonly #continued: boolean[] = [];
  #open: Segment | null = null;

  /** An empty list, which grows by `take`. */
  constructor(take: SegmentSource) {
    this.#take = take;
  }

  /** All of them, in order. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Whether segment `k` begins with bytes of a record whose slot stands in the one before it. */
  get continued(): readonly boolean[] {
    return this.#continued;
  }

  /** How many there are. */
  get length(): number {
    return this.#segments.length;
  }

  /** The last one, or null. */
  get open(): Segment | null {
    return this.#open;
  }

  /** Takes one more, which is open then. False when there is none now. */
  grow(continued: boolean): boolean {
    const segment = this.#take();
    if (segment === null) return false;
    this.#segments.push(segment);
    this.#continued.push(continued);
    this.#open = segment;
    return true;
  }

  /** Begins with `segment`, whose hold it takes over. */
  adopt(segment: Segment): void {
    assert(this.#open === null, "a list adopts a segment before it has its own");
    this.#segments.push(segment);
    this.#continued.push(false);
    this.#open = segment;
  }

  /** Lets go of all but the first `keep`. */
  truncate(keep: number): void {
    while (this.#segments.length > keep) {
      this.#continued.pop();
      this.#segments.pop()!.release();
    }
    this.#open = keep === 0 ? null : this.#segments[keep - 1];
  }

  /** Lets go of the first `count`. What the then first one began with went with them. */
  dropFirst(count: number): void {
    for (let k = 0; k < count; k++) this.#segments[k].release();
    this.#segments.splice(0, count);
    this.#continued.splice(0, count);
    this.#continued[0] = false;
  }

  /** Gives the hold of its one segment to the caller, and is empty; null when it is empty already. */
  detach(): Segment | null {
    assert(this.#segments.length <= 1, "a segment is detached when the others were handed over");
    const segment = this.#open;
    this.#segments.length = 0;
    this.#continued.length = 0;
    this.#open = null;
    return segment;
  }
}
