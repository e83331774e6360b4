/**
 * One buffer into which a batch is gathered before it is written: a single write of 1 MiB costs less than a vectored
 * write of its 32 segments (measured: 1.0 ms against 2.0 ms with the flush), and the copy outlives the batch, so that
 * a write that hangs in the kernel can be given up without the kernel reading segments that now belong to others.
 *
 * @module
 */
import { assert } from "../core/assert.ts";

/** Largest buffer that is kept for the next batch: the favourite batch is 1 MiB; one huge record must not stay charged for ever. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/** Up to here a loop is faster than a call. */
const SMALL_COPY_BYTES = 64;

/** A buffer that grows to the batch. */
export class GatherBuffer {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #length = 0;

  /** Bytes gathered. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was gathered, and makes room for `expected` bytes. The last view must not be in use any more. */
  restart(expected: number): void {
    if (this.#bytes.length > MAX_KEPT_BYTES) this.#bytes = new Uint8Array(0);
    this.#length = 0;
    this.reserve(expected);
  }

  /** Makes room for `more` bytes; returns the buffer and the place where they go. */
  reserve(more: number): Uint8Array {
    const needed = this.#length + more;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(this.#bytes.length * 2, MAX_KEPT_BYTES)));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    return this.#bytes;
  }

  /** Counts `length` bytes, written at {@linkcode length} of what {@linkcode reserve} returned, as gathered. */
  advance(length: number): void {
    this.#length += length;
  }

  /** Forgets what was gathered behind the first `length` bytes. */
  truncate(length: number): void {
    assert(length <= this.#length, "a buffer is only cut");
    this.#length = length;
  }

  /** Copies `bytes` behind what was gathered. */
  append(bytes: Uint8Array): void {
    const { length } = bytes;
    const target = this.reserve(length);
    const from = this.#length;
    if (length > SMALL_COPY_BYTES) target.set(bytes, from);
    else for (let at = 0; at < length; at++) target[from + at] = bytes[at];
    this.#length = from + length;
  }

  /** Appends one byte. */
  appendByte(byte: number): void {
    this.reserve(1)[this.#length++] = byte;
  }

  /** What was gathered; valid until the next `restart`, `reserve` or append. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}
