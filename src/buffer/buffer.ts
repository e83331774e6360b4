/**
 * A buffer is a counted reference to a filled range of a segment: what queues, lanes and credits count. Fan-out shares
 * it: every lane holds one reference, and the segment goes home when all buffers on it have been let go.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import type { Segment } from "./segment.ts";

/** A range of records in one segment, and what it owes when they are settled. `C` is the counter type of its spans. */
export class RecordBuffer<C> {
  /** Where the bytes are. */
  readonly segment: Segment;
  /** First slot of the range. */
  readonly firstSlot: number;
  /** Slot behind the range. Equal to `firstSlot` when the buffer only carries on a record of the one before. */
  readonly endSlot: number;
  /** Whether the segment begins with bytes of a record whose slot stands in an earlier segment. */
  readonly continues: boolean;
  /** The buffer in which the last record, or the one carried on, goes on; null when it ends here. */
  readonly next: RecordBuffer<C> | null;
  /** Counter of span `k`, or null where nobody waits. */
  readonly spanCounters: readonly (C | null)[];
  /** Slot behind span `k`; ascending, the last one is `endSlot`. */
  readonly spanEnds: readonly number[];
  /** Clock time (`nowMs`) at which its first record was accepted. */
  readonly acceptedAtMs: number;
  #holders = 0;

  /** Takes one hold of `segment` for as long as the buffer has holders. */
  constructor(range: {
    segment: Segment;
    firstSlot: number;
    endSlot: number;
    continues: boolean;
    next: RecordBuffer<C> | null;
    spanCounters: readonly (C | null)[];
    spanEnds: readonly number[];
    acceptedAtMs: number;
  }) {
    this.segment = range.segment;
    this.firstSlot = range.firstSlot;
    this.endSlot = range.endSlot;
    this.continues = range.continues;
    this.next = range.next;
    this.spanCounters = range.spanCounters;
    this.spanEnds = range.spanEnds;
    this.acceptedAtMs = range.acceptedAtMs;
    this.#holders = 1;
    range.segment.retain();
  }

  /** Records in the range. */
  get records(): number {
    return this.endSlot - this.firstSlot;
  }

  /** One holder more. */
  retain(): void {
    assert(this.#holders > 0, "a buffer is not retained after its last release");
    this.#holders++;
  }

  /** One holder less; the last one lets go of the segment. */
  release(): void {
    assert(this.#holders > 0, "a buffer is not released twice by one holder");
    if (--this.#holders === 0) this.segment.release();
  }
}
