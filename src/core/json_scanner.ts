/**
 * Whether bytes are JSON, told without making anything of them: parsing builds a string and a tree per record only
 * to throw both away, at a multiple of the cost of reading the bytes once.
 *
 * The grammar is RFC 8259 as `JSON.parse` takes it, over strict UTF-8 (RFC 3629). The scanner stops at any byte and
 * goes on in the next chunk, so that a body is scanned as it arrives. Most bytes of a record stand in short strings,
 * so strings are read four bytes at a time, and from `"name":"value","name":` the scan goes from string to string
 * without coming back to the switch, which it does as seldom as it can: each jump of the switch is one that a processor
 * cannot foresee.
 *
 * @module
 */
import {
  Byte,
  ESCAPES,
  firstFlag,
  isBlank,
  isDigit,
  isHexDigit,
  shortSequence,
  stopFlags,
  STOPS,
  unexpectedByte,
} from "./json_bytes.ts";

/** How a scan stands. */
export const ScanStatus = {
  /** The value goes on: feed more, or `finish`. */
  MORE: 0,
  /** The value is complete. */
  DONE: 1,
  /** This is no JSON; `error` says why. */
  ERROR: 2,
} as const;

/** How a scan stands: one of the numbers of {@linkcode ScanStatus}. */
export type ScanStatus = (typeof ScanStatus)[keyof typeof ScanStatus];

// What the next byte must be. The numbers are dense, so that the switch becomes a jump table.
const VALUE = 0, FIRST_ELEMENT = 1, FIRST_NAME = 2, NAME = 3, AFTER_NAME = 4, AFTER_VALUE = 5;
const IN_STRING = 6, ESCAPED = 7, HEX_DIGIT = 8, CONTINUATION = 9, LITERAL = 10;
const AFTER_MINUS = 11, AFTER_ZERO = 12, INTEGER = 13, AFTER_DOT = 14, FRACTION = 15;
const AFTER_E = 16, AFTER_E_SIGN = 17, EXPONENT = 18;

/** What was expected, by state; strings and depth have reasons of their own. */
const EXPECTED: readonly string[] = [
  "where a value should begin",
  "where a value or the end of the array should be",
  "where a name or the end of the object should be",
  "where a name should begin",
  "where a colon should be",
  "where a comma or the end of the container should be",
  "in a string, where it must be escaped",
  "behind a backslash",
  "where a hexadecimal digit should be",
  "",
  "in what begins as true, false or null",
  "where a digit should be",
  "",
  "",
  "where a digit should be",
  "",
  "where a digit or a sign should be",
  "where a digit should be",
];

/** The literals, each ended by a NUL. */
const LITERALS = new TextEncoder().encode("true\0false\0null\0");
const TRUE_AT = 0, FALSE_AT = 5, NULL_AT = 11;

// Two and three bytes between one string and the next, as little-endian words.
const COLON_QUOTE = 0x223a, COLON_SPACE_QUOTE = 0x22203a, COMMA_QUOTE = 0x222c, COMMA_SPACE_QUOTE = 0x22202c;

// What follows the first letter of a literal, as a little-endian word.
const RUE = 0x657572, ULL = 0x6c6c75, ALSE = 0x65736c61;

/** Bytes of the literal that begins with `byte`, when `rest` is what follows; else 0. */
function literalLength(byte: number, rest: number): number {
  if (byte === Byte.LETTER_F) return rest === ALSE ? 5 : 0;
  return (rest & 0xffffff) === (byte === Byte.LETTER_T ? RUE : ULL) ? 4 : 0;
}

const NOTHING = new Uint8Array(0);

/**
 * Scans one JSON value, in one piece or many. `begin`, then `scan` each chunk until `status` is not
 * {@linkcode ScanStatus.MORE}, then `finish` where the input ends.
 *
 * Nothing is allocated by record: one view per chunk, kept while the same chunk is scanned, and the text of an error
 * when it is read.
 */
export class JsonScanner {
  /** How the scan stands. */
  status: ScanStatus = ScanStatus.MORE;
  /** Whether the value holds a CR or LF; they can only stand between its tokens. */
  hadNewline = false;
  /** By depth: 1 for an array, 0 for an object. */
  readonly #containers: Uint8Array;
  #depth = 0;
  #state = VALUE;
  #inName = false;
  /** Hexadecimal digits or continuation bytes still to come, or where in the literals the next byte stands. */
  #step = 0;
  /** Bounds of the next continuation byte. */
  #low = 0x80;
  #high = 0xbf;
  #stopAtNewline = false;
  /** The byte that was wrong, or -1 for the end of the text. */
  #badByte = -1;
  #viewed: Uint8Array = NOTHING;
  #view: DataView = new DataView(NOTHING.buffer);

  /** @param maxDepth most containers open at a time. */
  constructor(maxDepth = 512) {
    this.#containers = new Uint8Array(maxDepth + 1);
  }

  /** Begins a value. With `stopAtNewline` an LF inside it is an error, as in formats of one value per line. */
  begin(stopAtNewline: boolean): void {
    this.status = ScanStatus.MORE;
    this.hadNewline = false;
    this.#depth = 0;
    this.#state = VALUE;
    this.#stopAtNewline = stopAtNewline;
  }

  /**
   * Reads on in `bytes[from, to)`; the first byte after `begin` must begin the value. Returns the index behind the
   * last byte that belongs to the value, or that of the byte that is wrong. A number is complete only at a byte that
   * cannot continue it, which is not consumed, or at `finish`. Consumes nothing when the status is not MORE.
   */
  scan(bytes: Uint8Array, from: number, to: number): number {
    if (this.status !== ScanStatus.MORE) return from;
    if (bytes !== this.#viewed) {
      this.#viewed = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const view = this.#view;
    const lastWord = to - 4;
    const containers = this.#containers;
    let depth = this.#depth;
    let inArray = containers[depth] === 1;
    let state = this.#state;
    let inName = this.#inName;
    let step = this.#step;
    let low = this.#low;
    let high = this.#high;
    let byte = 0;
    let i = from;
    // `break` leaves a byte that fits nothing but white space; `break scanning` the one that ends the scan, for good or bad.
    scanning: while (i < to) {
      switch (state) {
        case VALUE:
        case FIRST_ELEMENT:
          byte = bytes[i];
          if (byte === Byte.QUOTE) {
            i++;
            inName = false;
            state = IN_STRING;
            continue;
          }
          if (isDigit(byte)) {
            i++;
            state = byte === Byte.ZERO ? AFTER_ZERO : INTEGER;
            continue;
          }
          if (byte === Byte.OPEN_OBJECT || byte === Byte.OPEN_ARRAY) {
            if (depth + 1 === containers.length) break scanning;
            i++;
            inArray = byte === Byte.OPEN_ARRAY;
            containers[++depth] = inArray ? 1 : 0;
            if (i < to && bytes[i] === Byte.QUOTE) {
              i++;
              inName = !inArray;
              state = IN_STRING;
              continue;
            }
            state = inArray ? FIRST_ELEMENT : FIRST_NAME;
            continue;
          }
          if (byte === Byte.MINUS) {
            i++;
            state = AFTER_MINUS;
            continue;
          }
          if (byte === Byte.LETTER_T || byte === Byte.LETTER_F || byte === Byte.LETTER_N) {
            if (i < lastWord && depth > 0) {
              const length = literalLength(byte, view.getInt32(i + 1, true));
              if (length > 0) {
                i += length;
                state = AFTER_VALUE;
                continue;
              }
            }
            i++;
            step = 1 + (byte === Byte.LETTER_T ? TRUE_AT : byte === Byte.LETTER_F ? FALSE_AT : NULL_AT);
            state = LITERAL;
            continue;
          }
          if (byte === Byte.CLOSE_ARRAY && state === FIRST_ELEMENT) {
            state = AFTER_VALUE;
            continue;
          }
          if (depth === 0) break scanning;
          break;
        case FIRST_NAME:
        case NAME:
          byte = bytes[i];
          if (byte === Byte.QUOTE) {
            i++;
            inName = true;
            state = IN_STRING;
            continue;
          }
          if (byte === Byte.CLOSE_OBJECT && state === FIRST_NAME) {
            state = AFTER_VALUE;
            continue;
          }
          break;
        case AFTER_NAME:
          byte = bytes[i];
          if (byte === Byte.COLON) {
            i++;
            state = VALUE;
            continue;
          }
          break;
        case AFTER_VALUE:
          if (depth === 0) break scanning;
          byte = bytes[i];
          if (byte === Byte.COMMA) {
            i++;
            if (i < to && bytes[i] === Byte.QUOTE) {
              i++;
              inName = !inArray;
              state = IN_STRING;
              continue;
            }
            state = inArray ? VALUE : NAME;
            continue;
          }
          if (byte === (inArray ? Byte.CLOSE_ARRAY : Byte.CLOSE_OBJECT)) {
            i++;
            inArray = containers[--depth] === 1;
            continue;
          }
          break;
        case IN_STRING:
          for (;;) {
            let flags = 0;
            while (i <= lastWord && (flags = stopFlags(view.getInt32(i, true))) === 0) i += 4;
            if (flags !== 0) i += firstFlag(flags);
            else while (i < to && STOPS[bytes[i]] === 0) i++;
            if (i === to) break scanning;
            byte = bytes[i];
            if (byte >= 0x80 && i <= lastWord) {
              let length = shortSequence(view.getInt32(i, true));
              if (length > 0) {
                do i += length; while (i <= lastWord && (length = shortSequence(view.getInt32(i, true))) > 0);
                continue;
              }
            }
            if (byte !== Byte.QUOTE) {
              if (byte === Byte.BACKSLASH) state = ESCAPED;
              else if (byte < 0xc2 || byte > 0xf4) break scanning;
              else {
                state = CONTINUATION;
                step = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
                low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
                high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
              }
              i++;
              continue scanning;
            }
            i++;
            state = inName ? AFTER_NAME : AFTER_VALUE;
            if (i > lastWord || depth === 0) continue scanning;
            const next = view.getInt32(i, true);
            if (inName) {
              if ((next & 0xffff) === COLON_QUOTE) i += 2;
              else if ((next & 0xffffff) === COLON_SPACE_QUOTE) i += 3;
              else {
                if ((next & 0xff) === Byte.COLON) {
                  i++;
                  state = VALUE;
                }
                continue scanning;
              }
              inName = false;
            } else {
              if ((next & 0xffff) === COMMA_QUOTE) i += 2;
              else if ((next & 0xffffff) === COMMA_SPACE_QUOTE) i += 3;
              else continue scanning;
              inName = !inArray;
            }
            state = IN_STRING;
          }
        case CONTINUATION:
          byte = bytes[i];
          if (byte < low || byte > high) break scanning;
          i++;
          low = 0x80;
          high = 0xbf;
          if (--step === 0) state = IN_STRING;
          continue;
        case ESCAPED:
          byte = bytes[i];
          if (byte === Byte.LETTER_U) {
            step = 4;
            state = HEX_DIGIT;
          } else if (ESCAPES[byte] !== 0) state = IN_STRING;
          else break scanning;
          i++;
          continue;
        case HEX_DIGIT:
          if (!isHexDigit(bytes[i])) break scanning;
          i++;
          if (--step === 0) state = IN_STRING;
          continue;
        case LITERAL:
          if (bytes[i] !== LITERALS[step]) break scanning;
          i++;
          if (LITERALS[++step] === 0) state = AFTER_VALUE;
          continue;
        case AFTER_MINUS:
          byte = bytes[i];
          if (!isDigit(byte)) break scanning;
          i++;
          state = byte === Byte.ZERO ? AFTER_ZERO : INTEGER;
          continue;
        case AFTER_E:
          byte = bytes[i];
          if (byte === Byte.PLUS || byte === Byte.MINUS) i++;
          else if (!isDigit(byte)) break scanning;
          state = AFTER_E_SIGN;
          continue;
        case AFTER_DOT:
        case AFTER_E_SIGN:
          if (!isDigit(bytes[i])) break scanning;
          i++;
          state = state === AFTER_DOT ? FRACTION : EXPONENT;
          continue;
        default: // AFTER_ZERO, INTEGER, FRACTION, EXPONENT
          if (state !== AFTER_ZERO) { while (i < to && isDigit(bytes[i])) i++; }
          if (i === to) break scanning;
          byte = bytes[i];
          if (byte === Byte.DOT && (state === INTEGER || state === AFTER_ZERO)) {
            i++;
            state = AFTER_DOT;
          } else if ((byte | 0x20) === 0x65 && state !== EXPONENT) {
            i++;
            state = AFTER_E;
          } else state = AFTER_VALUE;
          continue;
      }
      if (byte === Byte.CR || byte === Byte.LF && !this.#stopAtNewline) this.hadNewline = true;
      else if (byte !== Byte.SPACE && byte !== Byte.TAB) break;
      i++;
    }
    this.#depth = depth;
    this.#state = state;
    this.#inName = inName;
    this.#step = step;
    this.#low = low;
    this.#high = high;
    if (state === AFTER_VALUE && depth === 0) this.status = ScanStatus.DONE;
    else if (i < to) {
      this.status = ScanStatus.ERROR;
      this.#badByte = bytes[i];
    }
    return i;
  }

  /** Ends the text: a number is complete, and any other value that is not is an error. */
  finish(): ScanStatus {
    if (this.status === ScanStatus.MORE) {
      const state = this.#state;
      const inNumber = state === AFTER_ZERO || state === INTEGER || state === FRACTION || state === EXPONENT;
      this.status = inNumber && this.#depth === 0 ? ScanStatus.DONE : ScanStatus.ERROR;
      this.#badByte = -1;
    }
    return this.status;
  }

  /** Why the status is ERROR; the place is what `scan` returned. Empty before. */
  get error(): string {
    if (this.status !== ScanStatus.ERROR) return "";
    const byte = this.#badByte;
    const place = this.#state === VALUE && this.#depth === 0 ? "before" : "inside";
    if (byte < 0) return `the text ends ${place} a value`;
    if (byte === Byte.LF && this.#stopAtNewline) return `the line ends ${place} a value`;
    if (this.#state === CONTINUATION || this.#state === IN_STRING && byte >= 0x80) {
      return `invalid UTF-8: ${unexpectedByte(byte, "in a string")}`;
    }
    if (this.#state <= FIRST_ELEMENT && (byte === Byte.OPEN_ARRAY || byte === Byte.OPEN_OBJECT)) {
      return `more than ${this.#containers.length - 1} levels of nesting`;
    }
    return unexpectedByte(byte, EXPECTED[this.#state]);
  }
}

const shared = new JsonScanner();

/** Whether `bytes[from, to)` is one JSON text: a value with nothing but white space around it. */
export function isJsonText(bytes: Uint8Array, from: number, to: number): boolean {
  let i = from;
  while (i < to && isBlank(bytes[i])) i++;
  shared.begin(false);
  i = shared.scan(bytes, i, to);
  if (shared.finish() !== ScanStatus.DONE) return false;
  while (i < to && isBlank(bytes[i])) i++;
  return i === to;
}
