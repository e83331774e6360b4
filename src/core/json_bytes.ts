/**
 * What the scanners of JSON know of single bytes.
 *
 * @module
 */

/** Bytes that JSON gives a meaning (RFC 8259, 2 and 7), and the plus sign of exponents. */
export const Byte = {
  TAB: 0x09,
  LF: 0x0a,
  CR: 0x0d,
  SPACE: 0x20,
  QUOTE: 0x22,
  PLUS: 0x2b,
  COMMA: 0x2c,
  MINUS: 0x2d,
  DOT: 0x2e,
  ZERO: 0x30,
  COLON: 0x3a,
  OPEN_ARRAY: 0x5b,
  BACKSLASH: 0x5c,
  CLOSE_ARRAY: 0x5d,
  LETTER_F: 0x66,
  LETTER_N: 0x6e,
  LETTER_T: 0x74,
  LETTER_U: 0x75,
  OPEN_OBJECT: 0x7b,
  CLOSE_OBJECT: 0x7d,
} as const;

/** 1 for a byte that a scan of a string cannot pass over: quote, backslash, control bytes, and all that is not ASCII. */
export const STOPS: Uint8Array = new Uint8Array(256).fill(1).fill(0, 0x20, 0x80);
STOPS[Byte.QUOTE] = STOPS[Byte.BACKSLASH] = 1;

/** By the byte behind a backslash, the byte that is meant; 0 for `u`, and for what may not stand there. */
export const ESCAPES: Uint8Array = new Uint8Array(256);
for (const [letter, meant] of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"]) {
  ESCAPES[letter.charCodeAt(0)] = meant.charCodeAt(0);
}

/**
 * The high bit of each byte of `word` that is one of {@linkcode STOPS}. Exact for the lowest flag only, since
 * subtraction borrows upwards: XOR with 2 lays the quote next to the control bytes, below 0x21.
 */
export function stopFlags(word: number): number {
  return ((word ^ 0x02020202) - 0x21212121 | (word ^ 0x5c5c5c5c) - 0x01010101 | word) & 0x80808080;
}

/** The high bit of each byte of `word` that is a quote or a backslash; exact for the lowest flag only. */
export function quoteFlags(word: number): number {
  const quote = word ^ 0x22222222;
  const backslash = word ^ 0x5c5c5c5c;
  return (quote - 0x01010101 & ~quote | backslash - 0x01010101 & ~backslash) & 0x80808080;
}

/** Which byte of a word, counted from the lowest, has the lowest flag. */
export function firstFlag(flags: number): number {
  return 31 - Math.clz32(flags & -flags) >> 3;
}

/** Bytes of the UTF-8 sequence in the low bytes of `word`, when it is a valid one of two or three; else 0. */
export function shortSequence(word: number): number {
  if ((word & 0xc0e0) === 0x80c0) return (word & 0x1e) !== 0 ? 2 : 0;
  if ((word & 0xc0c0f0) !== 0x8080e0) return 0;
  // Overlong below U+0800, and the surrogates.
  const high = word & 0x200f;
  return high !== 0 && high !== 0x200d ? 3 : 0;
}

/** Whether `byte` is white space between tokens. */
export function isBlank(byte: number): boolean {
  return byte === Byte.SPACE || byte === Byte.LF || byte === Byte.CR || byte === Byte.TAB;
}

/** Whether `byte` is a decimal digit. */
export function isDigit(byte: number): boolean {
  return byte - Byte.ZERO >>> 0 < 10;
}

/** Whether `byte` is a hexadecimal digit of either case. */
export function isHexDigit(byte: number): boolean {
  return isDigit(byte) || (byte | 0x20) - 0x61 >>> 0 < 6;
}

/** What a reader says of a `byte` that may not stand where it does; `place` says where that is. */
export function unexpectedByte(byte: number, place: string): string {
  return `unexpected byte 0x${byte.toString(16).padStart(2, "0")} ${place}`;
}
