/**
 * How filled segments become buffers: a range of records, the counters of the requests in it, and, where a record runs
 * over into the next segment, the link by which a lane finds the rest.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { RecordBuffer } from "../buffer/buffer.ts";
import type { Segment } from "../buffer/segment.ts";
import type { AckCounter } from "./acks.ts";

/** A buffer of a stream, with the counters of the requests in it. */
export type StreamBuffer = RecordBuffer<AckCounter>;

/** Whose records a buffer holds: span `k` ends before slot `ends[k]` and belongs to `counters[k]`. */
export class Spans {
  /** Counter of span `k`, or null where nobody waits. */
  readonly counters: (AckCounter | null)[] = [];
  /** Slot behind span `k`, ascending. */
  readonly ends: number[] = [];

  /** The one span of a buffer that one request filled. */
  static of(counter: AckCounter | null, end: number): Spans {
    const spans = new Spans();
    spans.add(counter, end);
    return spans;
  }

  /** Whether there is none. */
  get empty(): boolean {
    return this.ends.length === 0;
  }

  /** The records up to slot `end` belong to `counter`. A request that follows itself, or nobody nobody, goes on. */
  add(counter: AckCounter | null, end: number): void {
    const last = this.ends.length - 1;
    if (last >= 0 && this.counters[last] === counter) {
      this.ends[last] = end;
      return;
    }
    this.counters.push(counter);
    this.ends.push(end);
  }
}

/** A buffer of the records from `firstSlot` to `endSlot - 1`; neither its first nor its last record spans. */
export function cutBuffer(
  segment: Segment,
  firstSlot: number,
  endSlot: number,
  spans: Spans,
  acceptedAtMs: number,
): StreamBuffer {
  return new RecordBuffer<AckCounter>({
    segment,
    firstSlot,
    endSlot,
    continues: false,
    next: null,
    spanCounters: spans.counters,
    spanEnds: spans.ends,
    acceptedAtMs,
  });
}

/** What one request filled, in one or more segments. */
export interface FilledSegments {
  /** The segments, in order. */
  readonly segments: readonly Segment[];
  /** Whether segment `k` begins with bytes of a record whose slot stands in the one before. */
  readonly continued: readonly boolean[];
  /** How many of them are cut. */
  readonly count: number;
  /** First slot of the first one that no buffer covers yet. */
  readonly firstSlot: number;
  /** Spans of the first one. */
  readonly firstSpans: Spans;
  /** Clock time (`nowMs`) of the first record of the first one. */
  readonly firstAcceptedAtMs: number;
  /** Counter of the records in the others. */
  readonly counter: AckCounter | null;
  /** Clock time of the records in the others. */
  readonly acceptedAtMs: number;
}

/** The buffers of `filled`, in order; a segment without new records and without a record that runs through gives none. */
export function cutBuffers(filled: FilledSegments): StreamBuffer[] {
  const buffers: StreamBuffer[] = [];
  let next: StreamBuffer | null = null;
  // From the end, because a buffer is made with its link to the next.
  for (let k = filled.count - 1; k >= 0; k--) {
    const segment = filled.segments[k];
    const first = k === 0;
    const continues = filled.continued[k];
    const firstSlot = first ? filled.firstSlot : 0;
    if (firstSlot === segment.slots && !continues) {
      assert(next === null, "a record that runs over into a segment has its slot in the one before");
      continue;
    }
    const spans: Spans = first ? filled.firstSpans : Spans.of(filled.counter, segment.slots);
    const buffer: StreamBuffer = new RecordBuffer<AckCounter>({
      segment,
      firstSlot,
      endSlot: segment.slots,
      continues,
      next,
      spanCounters: spans.counters,
      spanEnds: spans.ends,
      acceptedAtMs: first ? filled.firstAcceptedAtMs : filled.acceptedAtMs,
    });
    next = continues ? buffer : null;
    buffers.push(buffer);
  }
  return buffers.reverse();
}
