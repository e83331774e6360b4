/**
 * Writes of one body that has not arrived whole: segments of its own, handed over as they are completed or given back.
 *
 * They are its own because a slow body would hold up whoever writes behind it in a shared one, and could not be taken
 * back from between them.
 *
 * @module
 */
import type { AckCounter } from "./acks.ts";
import type { RecordWriter } from "./record_writer.ts";
import { cutBuffers, Spans, type StreamBuffer } from "./stream_buffer.ts";

/** The writer of a body, and how much of it was handed over. */
export class BodyWriter {
  /** The writer. */
  readonly writer: RecordWriter;
  /** First slot of the first segment that is not handed over yet. */
  #firstSlot = 0;
  /** Clock time from which its records that are not handed over have come. */
  #sinceMs: number;

  /** `writer` is empty. */
  constructor(writer: RecordWriter, nowMs: number) {
    this.writer = writer;
    this.#sinceMs = nowMs;
  }

  /** Segments held. */
  get segments(): number {
    return this.writer.segments.length;
  }

  /** Buffers of the records that were ended since the last time. What follows them in the open segment stays the writer's. */
  cut(counter: AckCounter | null, nowMs: number): StreamBuffer[] {
    const { segments, continued, endedSegments } = this.writer;
    if (endedSegments === 0) return [];
    const buffers = cutBuffers({
      segments,
      continued,
      count: endedSegments,
      firstSlot: this.#firstSlot,
      firstSpans: Spans.of(counter, segments[0].slots),
      firstAcceptedAtMs: this.#sinceMs,
      counter,
      acceptedAtMs: this.#sinceMs,
    });
    this.writer.handedOver(endedSegments);
    this.#firstSlot = segments[0].slots;
    this.#sinceMs = nowMs;
    return buffers;
  }
}
