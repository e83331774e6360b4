/**
 * A copy that is put off until it is worth a call: records that stand side by side in their source are copied in one
 * go, so that an NDJSON body costs one copy per segment and not one per line.
 *
 * @module
 */
import { SLOT_WORDS, SlotWord } from "../core/record.ts";
import type { Segment } from "../buffer/segment.ts";

/** Bytes that may lie unused between two records of one copy (a CR, a blank, a comma), rather than end the copy. */
const MAX_GAP_BYTES = 16;

const LF = 10;

/** At most one copy from a source into a segment. */
export class DeferredCopy {
  #source: Uint8Array | null = null;
  #from = 0;
  #end = 0;
  #target = 0;
  #firstSlot = 0;

  /** Whether a copy is owed. */
  get owed(): boolean {
    return this.#source !== null;
  }

  /**
   * Where `source[from]` would stand if the copy went on to there, or -1 when that is not to be: there is no copy, it
   * has another source, or too much would lie between. At least one byte lies between, for the LF.
   */
  offsetOf(source: Uint8Array, from: number): number {
    const gap = from - this.#end;
    if (this.#source !== source || gap < 1 || gap > MAX_GAP_BYTES) return -1;
    return this.#target + (from - this.#from);
  }

  /** A new copy: `source[from]` goes to byte `target`, and the record of `slot` is its first. */
  start(source: Uint8Array, from: number, target: number, slot: number): void {
    this.#source = source;
    this.#from = from;
    this.#target = target;
    this.#firstSlot = slot;
  }

  /** The copy goes on up to `source[to]`, where a record ends. */
  extend(to: number): void {
    this.#end = to;
  }

  /** Forgets the copy. */
  drop(): void {
    this.#source = null;
  }

  /** Copies to `segment`, whose last slots are those of the copy, and writes an LF behind each record. */
  flush(segment: Segment): void {
    const source = this.#source;
    if (source === null) return;
    this.#source = null;
    const { bytes, words, slots } = segment;
    const whole = this.#from === 0 && this.#end === source.length;
    bytes.set(whole ? source : source.subarray(this.#from, this.#end), this.#target);
    for (let slot = this.#firstSlot; slot < slots; slot++) {
      const base = words.length - (slot + 1) * SLOT_WORDS;
      bytes[words[base + SlotWord.VALUE_OFFSET] + words[base + SlotWord.VALUE_LENGTH]] = LF;
    }
  }
}
