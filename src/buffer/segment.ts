/**
 * A segment is the fixed unit of memory: a slice of one block, lent and returned, never allocated per request.
 *
 * It is a slotted page. Record bytes grow from the front; one slot per record grows from the back. So the bytes of
 * a whole NDJSON body are copied in one go and stay adjacent, and a line-framed sink can write them out in one go,
 * while a batch still finds record i by arithmetic and without an object per record. The slot layout is in
 * `../core/record.ts`.
 *
 * Several buffers may share one segment (a flush ends a buffer, not the segment), so a segment counts its holders
 * and goes home when the last one lets go.
 *
 * @module
 */
import { assert } from "../core/assert.ts";

/** Where a segment goes when nobody holds it. */
export interface SegmentOwner {
  /** Takes the segment back. Called once per lending, after the count reached zero. */
  recycle(segment: Segment): void;
}

/** One fixed run of bytes of a pool. */
export class Segment {
  /** Position in the pool's block; -1 for a segment outside any pool (dead letters, tests). */
  readonly index: number;
  /** All bytes. */
  readonly bytes: Uint8Array;
  /** The same bytes as 32-bit words; slots are words counted from the end. */
  readonly words: Uint32Array;
  /** Bytes used from the front, of record bytes and metas. */
  fill = 0;
  /** Slots used from the back. */
  slots = 0;
  /** Unique number of this filling of the segment; record ids are made of it. */
  fillSeq = 0;
  #holders = 0;
  #owner: SegmentOwner | null = null;

  /** A segment over `[offset, offset + length)` of `block`. Both in bytes, both multiples of 4. */
  constructor(index: number, block: ArrayBufferLike, offset: number, length: number) {
    this.index = index;
    this.bytes = new Uint8Array(block, offset, length);
    this.words = new Uint32Array(block, offset, length >> 2);
  }

  /** How many hold it now. */
  get holders(): number {
    return this.#holders;
  }

  /** Called by a pool when it lends the segment: it is empty and has one holder. */
  lend(owner: SegmentOwner): void {
    assert(this.#holders === 0, "a segment is lent when nobody holds it");
    this.#owner = owner;
    this.#holders = 1;
    this.fill = 0;
    this.slots = 0;
  }

  /** One holder more. */
  retain(): void {
    assert(this.#holders > 0, "a segment is retained only while somebody holds it");
    this.#holders++;
  }

  /** One holder less; the last one sends the segment home. */
  release(): void {
    assert(this.#holders > 0, "a segment is released once by each holder");
    if (--this.#holders === 0) {
      const owner = this.#owner!;
      this.#owner = null;
      owner.recycle(this);
    }
  }
}
