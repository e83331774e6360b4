/**
 * The ids that the gateway gives records of its own accord, written as bytes: a sink that stores each record under its
 * id writes a million a second, and as strings they cost more than the rest of what such a sink encodes.
 *
 * @module
 */

const encoder = new TextEncoder();
const DIGITS = encoder.encode("0123456789abcdefghijklmnopqrstuvwxyz");
const RADIX = 36;

/** Ids of one life of the gateway: its prefix, the number of the segment's filling, `-` and the slot, to base 36. */
export class OwnIds {
  readonly #prefix: string;
  /** What the ids of the segment that was asked for last begin with. */
  #head: Uint8Array = DIGITS.subarray(0, 0);
  #fillSeq = NaN;

  /** Ids that begin with `prefix`. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The id of the record at `slot` of the segment whose filling is number `fillSeq`. */
  text(fillSeq: number, slot: number): string {
    // Two numbers: as one, `fillSeq` in the high bits, they would leave the safe integers after 2^37 segments.
    return `${this.#prefix}${fillSeq.toString(RADIX)}-${slot.toString(RADIX)}`;
  }

  /** Writes the same to `target` at `offset` and returns its length, or -1 when there is no room for it. */
  write(fillSeq: number, slot: number, target: Uint8Array, offset: number): number {
    if (fillSeq !== this.#fillSeq) {
      this.#fillSeq = fillSeq;
      this.#head = encoder.encode(`${this.#prefix}${fillSeq.toString(RADIX)}-`);
    }
    const head = this.#head;
    let digits = 1;
    for (let rest = slot; rest >= RADIX; rest = rest / RADIX | 0) digits++;
    const length = head.length + digits;
    if (offset + length > target.length) return -1;
    for (let at = 0; at < head.length; at++) target[offset + at] = head[at];
    let rest = slot;
    for (let at = offset + length - 1; at >= offset + head.length; at--) {
      target[at] = DIGITS[rest % RADIX];
      rest = rest / RADIX | 0;
    }
    return length;
  }
}
