/**
 * Damage by seed: bytes that were right, changed in the ways that parsers fall over, so that most of an input still is
 * what a parser goes deep into.
 *
 * @module
 */
import { seededRandom } from "../support/seeded_random.ts";

const encoder = new TextEncoder();

/** What is put in: bytes with a meaning in JSON, HTTP, RFC 6455 and UTF-8, numbers at the borders, and words that every object knows. */
const TELLING = [
  ...'"\\{}[]:,-+.eE019 \n\r\t\0\x1f\x7f;=%/?&',
  "\r\n",
  "\r\n\r\n",
  "\n\n",
  "\\u0000",
  "\\ud800",
  "99999999999999999999",
  "-1",
  "1e999",
  "9007199254740993",
  "0x10",
  "__proto__",
  "chunked",
  "0\r\n\r\n",
  "[".repeat(70),
].map((text) => encoder.encode(text));
const BORDERS = [
  0x7e,
  0x7f,
  0x80,
  0x8f,
  0x9f,
  0xa0,
  0xbf,
  0xc0,
  0xc1,
  0xe0,
  0xed,
  0xf0,
  0xf4,
  0xf5,
  0xfe,
  0xff,
];

/** Chance and damage. */
export class Mutator {
  readonly #random: () => number;

  /** The same `seed`, the same choices. */
  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** A whole number from 0 up to, and without, `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** True with this probability. */
  happens(probability: number): boolean {
    return this.#random() < probability;
  }

  /** One of `items`. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** A copy of `bytes`, changed up to `most` times; parts of `others` may come into it. */
  damaged(
    bytes: Uint8Array,
    others: readonly Uint8Array[],
    most = 4,
  ): Uint8Array<ArrayBuffer> {
    let result = bytes.slice();
    for (let times = this.below(most + 1); times > 0; times--) result = this.#change(result, others);
    return result;
  }

  /** The same for text of one byte a character. */
  damagedText(text: string): string {
    return String.fromCharCode(...this.damaged(Uint8Array.from(text, (c) => c.charCodeAt(0)), [], 2));
  }

  /** `bytes` in up to five pieces; some are of one byte. */
  pieces(bytes: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (let left = this.below(5); left > 0 && at < bytes.length; left--) {
      const end = at + (this.happens(0.3) ? 1 : 1 + this.below(bytes.length - at));
      pieces.push(bytes.subarray(at, end));
      at = end;
    }
    if (at < bytes.length) pieces.push(bytes.subarray(at));
    return pieces;
  }

  #change(bytes: Uint8Array<ArrayBuffer>, others: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    const at = this.below(bytes.length + 1);
    const end = Math.min(bytes.length, at + 1 + this.below(16));
    switch (this.below(8)) {
      case 0:
        if (at < bytes.length) bytes[at] ^= 1 << this.below(8);
        return bytes;
      case 1:
        if (at < bytes.length) bytes[at] = this.pick(BORDERS);
        return bytes;
      case 2:
        return spliced(bytes, at, end, new Uint8Array(0));
      case 3:
        return spliced(bytes, at, at, this.pick(TELLING));
      case 4:
        return spliced(bytes, at, Math.min(bytes.length, at + 4), this.pick(TELLING));
      case 5:
        return spliced(bytes, at, at, bytes.slice(at, end));
      case 6: {
        const other = others.length > 0 ? this.pick(others) : bytes;
        const from = this.below(other.length + 1);
        return spliced(bytes, at, at, other.slice(from, from + 1 + this.below(40)));
      }
      default:
        return bytes.slice(0, at);
    }
  }
}

/** `bytes` with `put` in place of what is from `from` to `to`. */
function spliced(bytes: Uint8Array, from: number, to: number, put: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(bytes.length - (to - from) + put.length);
  result.set(bytes.subarray(0, from));
  result.set(put, from);
  result.set(bytes.subarray(to), from + put.length);
  return result;
}
