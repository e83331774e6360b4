/**
 * The text of a JSON string, from bytes to bytes: a key goes into a segment, so a JavaScript string would be made
 * only to be encoded again.
 *
 * @module
 */
import { Byte, ESCAPES, firstFlag, isHexDigit, quoteFlags } from "./json_bytes.ts";

/** Most bytes of JSON that one byte of text takes: `\u0041`. */
export const MAX_ESCAPE_BYTES = 6;

const REPLACEMENT = 0xfffd;

/** The first quote or backslash in `bytes[from, to)`, or `to`. `view` is of the same bytes. */
export function stringStop(bytes: Uint8Array, view: DataView, from: number, to: number): number {
  const lastWord = to - 4;
  let i = from;
  while (i <= lastWord) {
    const flags = quoteFlags(view.getInt32(i, true));
    if (flags !== 0) return i + firstFlag(flags);
    i += 4;
  }
  while (i < to && bytes[i] !== Byte.QUOTE && bytes[i] !== Byte.BACKSLASH) i++;
  return i;
}

/**
 * Writes what the inside of a string, `bytes[from, to)`, means to the front of `out`, half a surrogate pair as U+FFFD.
 * Returns the bytes written, fewer than `to - from` exactly when there are escapes; -1 when an escape is malformed or
 * the text does not fit.
 */
export function decodeString(bytes: Uint8Array, from: number, to: number, out: Uint8Array): number {
  let length = 0;
  let i = from;
  while (i < to) {
    const byte = bytes[i];
    if (byte !== Byte.BACKSLASH) {
      if (length === out.length) return -1;
      out[length++] = byte;
      i++;
      continue;
    }
    if (i + 1 === to) return -1;
    const escape = bytes[i + 1];
    let codePoint = ESCAPES[escape];
    i += 2;
    if (escape === Byte.LETTER_U) {
      codePoint = codeUnit(bytes, i, to);
      if (codePoint < 0) return -1;
      i += 4;
      if (codePoint >= 0xd800 && codePoint < 0xe000) {
        const low = lowSurrogate(bytes, i, to);
        const isPair = codePoint < 0xdc00 && low >= 0;
        codePoint = isPair ? 0x10000 + (codePoint - 0xd800 << 10) + (low - 0xdc00) : REPLACEMENT;
        if (isPair) i += 6;
      }
    } else if (codePoint === 0) return -1;
    length = writeUtf8(codePoint, out, length);
    if (length < 0) return -1;
  }
  return length;
}

/** The four hexadecimal digits at `from`, or -1. */
function codeUnit(bytes: Uint8Array, from: number, to: number): number {
  if (from + 4 > to) return -1;
  let unit = 0;
  for (let i = from; i < from + 4; i++) {
    const byte = bytes[i];
    if (!isHexDigit(byte)) return -1;
    unit = unit << 4 | (byte & 15) + (byte > 0x39 ? 9 : 0);
  }
  return unit;
}

/** The second half of a surrogate pair that is escaped at `from`, or -1. */
function lowSurrogate(bytes: Uint8Array, from: number, to: number): number {
  if (from + 6 > to || bytes[from] !== Byte.BACKSLASH || bytes[from + 1] !== Byte.LETTER_U) return -1;
  const unit = codeUnit(bytes, from + 2, to);
  return unit >= 0xdc00 && unit < 0xe000 ? unit : -1;
}

/** Writes a code point at `at`; returns where the next one goes, or -1 when it does not fit. */
function writeUtf8(codePoint: number, out: Uint8Array, at: number): number {
  const size = codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
  if (at + size > out.length) return -1;
  if (size === 1) {
    out[at] = codePoint;
    return at + 1;
  }
  let rest = codePoint;
  for (let k = size - 1; k > 0; k--, rest >>= 6) out[at + k] = 0x80 | rest & 0x3f;
  out[at] = (size === 2 ? 0xc0 : size === 3 ? 0xe0 : 0xf0) | rest;
  return at + size;
}
