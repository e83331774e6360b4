/** Searching bytes, and text as bytes. @module */
import { Buffer } from "node:buffer";

const encoder = new TextEncoder();

/**
 * `bytes` as a string of the same length, one character a byte. Searching that for a character is one `memchr`: 100
 * lines of 200 bytes are found in 1.9 us, copy included, where `indexOf` of the bytes takes 8.8 (measured).
 */
export function latin1(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString("latin1");
}

/** Writes `text` as UTF-8 to `target` at `offset`; returns its length, or -1 when it has no room there. */
export function copyText(text: string, target: Uint8Array, offset: number): number {
  const { read, written } = encoder.encodeInto(text, target.subarray(offset));
  return read < text.length ? -1 : written;
}

/** Whether `bytes` hold a CR or an LF. */
export function holdsNewline(bytes: Uint8Array): boolean {
  const text = latin1(bytes);
  return text.indexOf("\n") >= 0 || text.indexOf("\r") >= 0;
}
