/**
 * The key of a record by a JSON pointer (RFC 6901), without parsing the record: values off the path are passed over
 * by counting brackets, and the search ends where the key does, mostly near the front.
 *
 * Records may be trusted, so this must live with any bytes. It checks what it takes (names on the path and the key
 * itself); whatever else is wrong around them is for {@linkcode JsonScanner} to tell.
 *
 * @module
 */
import { Byte, isBlank, isDigit } from "./json_bytes.ts";
import { JsonScanner, ScanStatus as ValueStatus } from "./json_scanner.ts";
import { decodeString, MAX_ESCAPE_BYTES, stringStop } from "./json_string.ts";
import { MAX_KEY_BYTES } from "./record.ts";

/** How a search stands. */
export const ScanStatus = {
  /** Feed more, or `finish`. */
  SEARCHING: 0,
  /** There is a key. */
  FOUND: 1,
  /** There is no key: nothing at the pointer, or null, an object, an array, or no JSON. */
  ABSENT: 2,
} as const;

/** How a search stands: one of the numbers of {@linkcode ScanStatus}. */
export type ScanStatus = (typeof ScanStatus)[keyof typeof ScanStatus];

// What the next byte belongs to.
const BEFORE_VALUE = 0, BEFORE_NAME = 1, IN_NAME = 2, AFTER_NAME = 3, SKIPPING = 4, SKIPPING_STRING = 5;
const SKIPPING_ESCAPED = 6, IN_KEY = 7;

/** What ends a run of bytes that are passed over. */
const OPENS = 1, CLOSES = 2, COMMA = 3, QUOTE = 4;
const STRUCTURE = new Uint8Array(256);
STRUCTURE[Byte.OPEN_ARRAY] = STRUCTURE[Byte.OPEN_OBJECT] = OPENS;
STRUCTURE[Byte.CLOSE_ARRAY] = STRUCTURE[Byte.CLOSE_OBJECT] = CLOSES;
STRUCTURE[Byte.COMMA] = COMMA;
STRUCTURE[Byte.QUOTE] = QUOTE;

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** A step of the pointer. */
interface Token {
  /** Name of a member, UTF-8. */
  readonly name: Uint8Array;
  /** Index of an element, or -1 when it cannot be one. */
  readonly index: number;
}

/** What {@linkcode PointerScanner} takes: pointers to a member, as the empty one is the whole record. */
export const POINTER: RegExp = /^(\/([^~/]|~[01])*)+$/;

/** What {@linkcode POINTER} wants, as a sentence. */
export const POINTER_RULE =
  'must be a JSON pointer that begins with "/", as "/user/id" (RFC 6901: ~0 for ~, ~1 for / inside a name)';

function parsePointer(pointer: string): Token[] {
  if (!POINTER.test(pointer)) {
    throw new Error(`Cannot take a key by ${JSON.stringify(pointer)}: it ${POINTER_RULE}`);
  }
  return pointer.slice(1).split("/").map((text) => ({
    name: encoder.encode(text.replaceAll("~1", "/").replaceAll("~0", "~")),
    index: /^(0|[1-9]\d*)$/.test(text) ? Number(text) : -1,
  }));
}

/**
 * Finds the key of one record after another: `begin`, `scan` each chunk, `finish`. The string at the pointer gives its
 * text as UTF-8, with U+FFFD for half a surrogate pair; a number, `true` or `false` the text as it stands. Of members
 * with the same name the first counts. Allocates nothing by record, except once where one crosses a chunk.
 */
export class PointerScanner {
  /** How the search stands. */
  status: ScanStatus = ScanStatus.SEARCHING;
  /** The first `keyLength` bytes are the key, once FOUND. */
  readonly key: Uint8Array = new Uint8Array(MAX_KEY_BYTES);
  /** Whether the key, once FOUND, is a string. */
  isText = false;
  /** Bytes of the key; 0 when it is too long. */
  keyLength = 0;
  /** Whether the key is over {@linkcode MAX_KEY_BYTES}; it is FOUND all the same, with nothing in `key`. */
  tooLong = false;
  /** Where the key begins in the `bytes` of the last `scan`, when it stands there as it is, else -1. */
  inlineFrom = -1;
  /** Where it ends there, or -1. */
  inlineTo = -1;
  readonly #tokens: readonly Token[];
  readonly #longestName: number;
  readonly #value = new JsonScanner(0);
  #state = BEFORE_VALUE;
  /** Tokens that are matched. */
  #level = 0;
  /** Containers open in a value that is passed over. */
  #nesting = 0;
  /** Commas before the wanted element of the open array; -1 in an object. */
  #commasLeft = -1;
  #nameMatches = false;
  #isNumber = false;
  #escaped = false;
  /** A name or key that crosses chunks or has escapes, as it stands. Made when first needed. */
  #raw: Uint8Array = NOTHING;
  #rawLength = 0;
  /** A name without its escapes. */
  #name: Uint8Array = NOTHING;
  #viewed: Uint8Array = NOTHING;
  #view: DataView = new DataView(NOTHING.buffer);

  /** @param pointer as `/user/id` or `/items/0/sku`. Throws Error for one that is malformed or empty. */
  constructor(pointer: string) {
    this.#tokens = parsePointer(pointer);
    this.#longestName = Math.max(...this.#tokens.map((token) => token.name.length));
  }

  /** Begins a record. */
  begin(): void {
    this.status = ScanStatus.SEARCHING;
    this.keyLength = 0;
    this.tooLong = false;
    this.inlineFrom = this.inlineTo = -1;
    this.#state = BEFORE_VALUE;
    this.#level = 0;
    this.#rawLength = 0;
  }

  /**
   * Reads on in `bytes[from, to)`, at most up to the end of the key. Returns the index behind the last byte looked at;
   * `from` at once when the search is over.
   */
  scan(bytes: Uint8Array, from: number, to: number): number {
    this.inlineFrom = this.inlineTo = -1;
    if (this.status !== ScanStatus.SEARCHING) return from;
    if (bytes !== this.#viewed) {
      this.#viewed = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const view = this.#view;
    let state = this.#state;
    let nesting = this.#nesting;
    let i = from;
    searching: while (i < to && this.status === ScanStatus.SEARCHING) {
      switch (state) {
        case SKIPPING:
          for (;;) {
            let kind = 0;
            while (i < to && (kind = STRUCTURE[bytes[i]]) === 0) i++;
            if (i === to) continue searching;
            i++;
            if (kind === QUOTE) {
              i = stringStop(bytes, view, i, to);
              if (i < to && bytes[i] === Byte.QUOTE) i++;
              else {
                state = SKIPPING_STRING;
                continue searching;
              }
            } else if (kind === OPENS) nesting++;
            else if (nesting === 0) {
              state = kind === COMMA ? this.#nextMember() : this.#absent();
              continue searching;
            } else if (kind === CLOSES) nesting--;
          }
        case SKIPPING_STRING:
          i = stringStop(bytes, view, i, to);
          if (i === to) break;
          state = bytes[i++] === Byte.QUOTE ? SKIPPING : SKIPPING_ESCAPED;
          break;
        case SKIPPING_ESCAPED:
          i++;
          state = SKIPPING_STRING;
          break;
        case BEFORE_NAME: {
          const byte = bytes[i++];
          if (isBlank(byte)) break;
          if (byte !== Byte.QUOTE) {
            this.#absent();
            break;
          }
          const stop = stringStop(bytes, view, i, to);
          if (stop < to && bytes[stop] === Byte.QUOTE) {
            this.#nameMatches = equals(bytes, i, stop, this.#tokens[this.#level].name);
            i = stop + 1;
            state = AFTER_NAME;
          } else {
            this.#rawLength = 0;
            this.#escaped = false;
            state = IN_NAME;
          }
          break;
        }
        case IN_NAME: {
          const end = this.#readName(bytes, i, to);
          if (end >= 0) state = AFTER_NAME;
          i = end < 0 ? to : end;
          break;
        }
        case AFTER_NAME: {
          const byte = bytes[i++];
          if (isBlank(byte)) break;
          if (byte !== Byte.COLON) this.#absent();
          nesting = 0;
          state = this.#nameMatches ? BEFORE_VALUE : SKIPPING;
          if (this.#nameMatches) this.#level++;
          break;
        }
        case BEFORE_VALUE:
          if (isBlank(bytes[i])) i++;
          else {
            nesting = 0;
            state = this.#level < this.#tokens.length ? this.#enter(bytes[i++]) : this.#beginKey(bytes[i]);
          }
          break;
        default: // IN_KEY
          i = this.#readKey(bytes, i, to);
      }
    }
    this.#state = state;
    this.#nesting = nesting;
    return i;
  }

  /** Ends the record: what was not found is absent. */
  finish(): void {
    if (this.status === ScanStatus.SEARCHING) this.#absent();
  }

  #absent(): number {
    this.status = ScanStatus.ABSENT;
    return this.#state;
  }

  /** The state behind a comma in the open container of the path. */
  #nextMember(): number {
    if (this.#commasLeft < 0) return BEFORE_NAME;
    if (--this.#commasLeft > 0) return SKIPPING;
    this.#level++;
    return BEFORE_VALUE;
  }

  /** The state behind the first byte of a value that must hold the next token. */
  #enter(byte: number): number {
    this.#commasLeft = -1;
    if (byte === Byte.OPEN_OBJECT) return BEFORE_NAME;
    const { index } = this.#tokens[this.#level];
    if (byte !== Byte.OPEN_ARRAY || index < 0) return this.#absent();
    this.#commasLeft = index;
    if (index > 0) return SKIPPING;
    this.#level++;
    return BEFORE_VALUE;
  }

  #beginKey(byte: number): number {
    if (byte === Byte.OPEN_OBJECT || byte === Byte.OPEN_ARRAY || byte === Byte.LETTER_N) {
      return this.#absent();
    }
    this.isText = byte === Byte.QUOTE;
    this.#isNumber = byte === Byte.MINUS || isDigit(byte);
    this.#value.begin(false);
    this.#rawLength = 0;
    return IN_KEY;
  }

  /** Reads the key; returns the index behind the last byte looked at. */
  #readKey(bytes: Uint8Array, from: number, to: number): number {
    const end = this.#value.scan(bytes, from, to);
    if (this.#value.status === ValueStatus.ERROR) {
      this.#absent();
    } else if (this.#value.status === ValueStatus.MORE) {
      if (!this.#collect(bytes, from, end)) this.#found(-1);
    } else if (this.#isNumber && !endsToken(bytes[end])) {
      this.#absent();
    } else if (this.#rawLength === 0) {
      const quotes = bytes[from] === Byte.QUOTE ? 1 : 0;
      const length = decodeString(bytes, from + quotes, end - quotes, this.key);
      this.#found(length);
      if (length === end - from - 2 * quotes) {
        this.inlineFrom = from + quotes;
        this.inlineTo = end - quotes;
      }
    } else if (!this.#collect(bytes, from, end)) {
      this.#found(-1);
    } else {
      const quotes = this.#raw[0] === Byte.QUOTE ? 1 : 0;
      this.#found(decodeString(this.#raw, quotes, this.#rawLength - quotes, this.key));
    }
    return end;
  }

  #found(length: number): void {
    this.status = ScanStatus.FOUND;
    this.tooLong = length < 0;
    this.keyLength = Math.max(length, 0);
  }

  /** Reads a name byte by byte; returns the index behind its closing quote, or -1 when it goes on. */
  #readName(bytes: Uint8Array, from: number, to: number): number {
    for (let i = from; i < to; i++) {
      const byte = bytes[i];
      if (this.#escaped) this.#escaped = false;
      else if (byte === Byte.BACKSLASH) this.#escaped = true;
      else if (byte === Byte.QUOTE) {
        this.#collect(bytes, from, i);
        this.#nameMatches = this.#rawNameMatches();
        return i + 1;
      }
    }
    this.#collect(bytes, from, to);
    return -1;
  }

  #rawNameMatches(): boolean {
    const { name } = this.#tokens[this.#level];
    if (this.#name.length === 0) this.#name = new Uint8Array(this.#longestName);
    const length = decodeString(this.#raw, 0, this.#rawLength, this.#name);
    return length >= 0 && equals(this.#name, 0, length, name);
  }

  /** Appends to `raw`, which is longer than any key or name of the pointer with all of it escaped. False when full. */
  #collect(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#raw.length === 0) {
      this.#raw = new Uint8Array(MAX_ESCAPE_BYTES * Math.max(MAX_KEY_BYTES, this.#longestName) + 2);
    }
    const room = this.#raw.length - this.#rawLength;
    for (let i = from; i < to && i - from < room; i++) this.#raw[this.#rawLength++] = bytes[i];
    return to - from <= room;
  }
}

function equals(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name[i]) return false;
  return true;
}

/** Whether `byte` may stand behind a number. */
function endsToken(byte: number): boolean {
  return isBlank(byte) || byte === Byte.COMMA || byte === Byte.CLOSE_ARRAY || byte === Byte.CLOSE_OBJECT;
}
