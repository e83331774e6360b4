/**
 * A body that is still arriving, in segments of its own. What has come of it is framed as far as there are segments, and
 * framing goes on at the byte where it stopped.
 *
 * @module
 */
import type { BodyWriter } from "../partition/result_partition.ts";
import type { Framer } from "./framer.ts";

const EMPTY = new Uint8Array(0);

/** How far a body was framed: up to what has come, up to where a segment is missing, or to its end; or it cannot be. */
export type Framed = "all" | "stalled" | "complete" | "failed";

/** The body. */
export class ArrivingBody {
  /** Its framer. */
  readonly framer: Framer;
  /** Its segments. */
  readonly writer: BodyWriter;
  /** Bytes of the first chunk that are framed. */
  #chunkAt = 0;
  /** Bytes in the chunks before. */
  #framedBytes = 0;
  /** Byte at which no segment was found. */
  #stalledAt = -1;

  /** `framer` has begun, with the writer of `writer`. */
  constructor(framer: Framer, writer: BodyWriter) {
    this.framer = framer;
    this.writer = writer;
  }

  /** Frames `chunks`, and takes those off that it is done with; `ended`: none comes behind them. */
  frame(chunks: Uint8Array[], ended: boolean): Framed {
    const { framer } = this;
    for (;;) {
      const chunk = chunks[0] ?? EMPTY;
      const last = ended && chunks.length <= 1;
      const end = framer.push(chunk, this.#chunkAt, chunk.length, last);
      if (framer.failure) return "failed";
      framer.writer.flushCopies();
      if (end < chunk.length || !framer.done) {
        this.#chunkAt = end;
        return "stalled";
      }
      framer.chunkConsumed(chunk.length);
      this.#framedBytes += chunk.length;
      chunks.shift();
      this.#chunkAt = 0;
      if (last) return "complete";
      if (chunks.length === 0 && !ended) return "all";
    }
  }

  /** Told when no segment was found. Whether it was further on than the last time. */
  stalled(): boolean {
    const at = this.#framedBytes + this.#chunkAt;
    const hasMoved = at > this.#stalledAt;
    this.#stalledAt = at;
    return hasMoved;
  }
}
