/**
 * Text written as the inside of a JSON string. What comes from a record must not be able to end the string.
 *
 * @module
 */
import { Byte } from "../../src/core/json_bytes.ts";
import type { GatherBuffer } from "../../src/sink/gather_buffer.ts";

/** Most bytes that one byte becomes: `\u0000`. */
const MAX_ESCAPED_BYTES = 6;
const DIGITS = new TextEncoder().encode("0123456789abcdef");
const FIRST_PLAIN = 0x20;

/** Whether `bytes[from, to)`, UTF-8, are the inside of a JSON string as they are. */
export function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = bytes[i];
    if (byte < FIRST_PLAIN || byte === Byte.QUOTE || byte === Byte.BACKSLASH) return false;
  }
  return true;
}

/** Appends `bytes[0, length)`, UTF-8, with quotes, backslashes and control characters escaped (RFC 8259, 7). */
export function appendJsonText(bytes: Uint8Array, length: number, target: GatherBuffer): void {
  const out = target.reserve(length * MAX_ESCAPED_BYTES);
  const from = target.length;
  let at = from;
  for (let i = 0; i < length; i++) {
    const byte = bytes[i];
    if (byte >= FIRST_PLAIN) {
      if (byte === Byte.QUOTE || byte === Byte.BACKSLASH) out[at++] = Byte.BACKSLASH;
      out[at++] = byte;
      continue;
    }
    out[at++] = Byte.BACKSLASH;
    out[at++] = Byte.LETTER_U;
    out[at++] = Byte.ZERO;
    out[at++] = Byte.ZERO;
    out[at++] = DIGITS[byte >> 4];
    out[at++] = DIGITS[byte & 15];
  }
  target.advance(at - from);
}
