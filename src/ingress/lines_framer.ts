/**
 * One record per line. CR before LF is dropped, empty lines are skipped, and a last line without LF counts.
 *
 * Without validation a line costs one search for LF and one slot; whether lines can end in CR is asked once per chunk.
 *
 * @module
 */
import { latin1 } from "../core/bytes.ts";
import { unexpectedByte } from "../core/json_bytes.ts";
import { JsonScanner, ScanStatus } from "../core/json_scanner.ts";
import { SlotFlag } from "../core/record.ts";
import { Framer, type FramerOptions, jsonFlags, type PieceEnd } from "./framer.ts";

const LF = 10;
const CR = 13;
/** Records of a usual length end within these: a search of so few bytes costs less than the string of a chunk. */
const NEAR_BYTES = 1024;
const CR_BYTE = new Uint8Array([CR]);

/** Lines of text, or NDJSON when `validateJson`. */
export class LinesFramer extends Framer {
  readonly #scanner: JsonScanner | null;
  #chunk: Uint8Array | null = null;
  /** The chunk as a string, to be searched. */
  #text = "";
  /** Index in the chunk of the next CR, at or behind where reading is; Infinity when there is none. Kept, so that a chunk is searched once. */
  #nextCr = Infinity;
  /** The rest of a refused line is passed over. */
  #skipping = false;
  #pendingCr = false;
  #pieceState: "blank" | "value" | "after" = "value";

  /** Shares one scanner per framer; none is made where lines are trusted. */
  constructor(options: FramerOptions) {
    super(options);
    this.#scanner = options.validateJson ? new JsonScanner() : null;
  }

  protected override beginBody(): void {
    this.#chunk = null;
    this.#text = "";
    this.#skipping = false;
    this.#pendingCr = false;
  }

  protected override between(source: Uint8Array, from: number, to: number, last: boolean): number {
    if (this.#skipping) {
      const newline = this.#newlineFrom(source, from);
      if (newline < 0 || newline >= to) return to;
      this.#skipping = false;
      return newline + 1;
    }
    return this.#scanner === null
      ? this.#trusted(source, from, to, last)
      : this.#validated(source, from, to, last, this.#scanner);
  }

  #look(source: Uint8Array): void {
    if (this.#chunk === source) return;
    this.#chunk = source;
    this.#text = latin1(source);
    this.#nextCr = -1;
  }

  /** Index of the next LF, or -1. A scanner finds the ends of lines itself, so that a chunk becomes a string only for a long piece. */
  #newlineFrom(source: Uint8Array, from: number): number {
    if (this.#scanner !== null && this.#chunk !== source) {
      const near = source.subarray(from, from + NEAR_BYTES).indexOf(LF);
      if (near >= 0) return from + near;
      if (from + NEAR_BYTES >= source.length) return -1;
    }
    this.#look(source);
    return this.#text.indexOf("\n", from);
  }

  #trusted(source: Uint8Array, from: number, to: number, last: boolean): number {
    this.#look(source);
    let pos = from;
    while (pos < to) {
      let newline = this.#text.indexOf("\n", pos);
      if (newline < 0 || newline >= to) {
        if (!last) {
          this.startPieces();
          return pos;
        }
        newline = to;
      }
      let end = newline;
      if (end > pos && source[end - 1] === CR) end--;
      if (end > pos) {
        const flags = this.#crBefore(pos, end) ? SlotFlag.NEWLINE : 0;
        if (!this.whole(source, pos, end, flags)) {
          this.startPieces();
          return pos;
        }
        if (this.failure !== null) return pos;
      }
      pos = newline + 1;
    }
    return to;
  }

  #validated(source: Uint8Array, from: number, to: number, last: boolean, scanner: JsonScanner): number {
    let pos = from;
    while (pos < to) {
      if (source[pos] === LF) {
        pos++;
        continue;
      }
      let at = pos;
      while (at < to && isBlank(source[at])) at++;
      if (at - pos === 1 && source[pos] === CR && (at < to ? source[at] === LF : last)) {
        pos = at + 1;
        continue;
      }
      const valueBegin = at;
      scanner.begin(true);
      if (at < to) at = scanner.scan(source, at, to);
      if (scanner.status === ScanStatus.MORE && last) scanner.finish();
      if (scanner.status === ScanStatus.MORE) {
        if (!last) {
          this.startPieces();
          return pos;
        }
        this.reject(`the body ends inside a value, at byte ${this.base + to}`);
        return to;
      }
      const valueEnd = at;
      if (scanner.status === ScanStatus.DONE) { while (at < to && isBlank(source[at])) at++; }
      if (scanner.status === ScanStatus.ERROR || (at < to && source[at] !== LF)) {
        this.#rejectLine(scanner, at, source[at]);
        const newline = this.#newlineFrom(source, at);
        if (newline < 0 || newline >= to) {
          this.#skipping = true;
          return to;
        }
        pos = newline + 1;
        continue;
      }
      if (at === to && !last) {
        this.startPieces();
        return pos;
      }
      let end = at;
      if (end > valueEnd && source[end - 1] === CR) end--;
      // A CR that is left stands between tokens or in the blanks of the line.
      const newline = scanner.hadNewline || holdsCr(source, pos, valueBegin) ||
        holdsCr(source, valueEnd, end);
      if (!this.whole(source, pos, end, jsonFlags(newline))) {
        this.startPieces();
        return pos;
      }
      if (this.failure !== null) return pos;
      pos = at + 1;
    }
    return to;
  }

  #crBefore(from: number, to: number): boolean {
    if (this.#nextCr < from) {
      const at = this.#text.indexOf("\r", from);
      this.#nextCr = at < 0 ? Infinity : at;
    }
    return this.#nextCr < to;
  }

  #rejectLine(scanner: JsonScanner, at: number, byte: number): void {
    const what = scanner.status === ScanStatus.ERROR
      ? scanner.error
      : unexpectedByte(byte, "behind the value");
    this.reject(`${what}, at byte ${this.base + at}`);
  }

  protected override beginPieces(): void {
    this.#pendingCr = false;
    this.#pieceState = "blank";
    this.#scanner?.begin(true);
  }

  protected override scanPiece(source: Uint8Array, from: number, to: number): number {
    if (this.#pendingCr) {
      this.#pendingCr = false;
      if (source[from] === LF) {
        this.pieceEnd = this.#lineEnd(this.writer.recordLength);
        this.pieceSkip = 1;
        return from;
      }
      // The CR was held back: it is shown to the scanner only now that the line goes on behind it.
      if (!this.#scanLine(CR_BYTE, 0, 1, from - 1)) {
        this.pieceEnd = "bad";
        this.pieceSkip = 0;
        this.#skipping = true;
        return from;
      }
      this.pieceFlags |= SlotFlag.NEWLINE;
      this.feed(CR_BYTE, 0, 1);
      this.pieceEnd = "more";
      return from;
    }
    const newline = this.#newlineFrom(source, from);
    const ended = newline >= 0 && newline < to;
    let end = ended ? newline : to;
    let skip = ended ? 1 : 0;
    if (end > from && source[end - 1] === CR) {
      end--;
      skip++;
      if (!ended) this.#pendingCr = true;
    }
    if (!this.#scanLine(source, from, end)) {
      this.pieceEnd = "bad";
      this.#skipping = !ended;
      this.pieceSkip = (ended ? newline + 1 : to) - from;
      return from;
    }
    if (this.#scanner === null && this.#crBefore(from, end)) this.pieceFlags |= SlotFlag.NEWLINE;
    this.pieceSkip = skip;
    this.pieceEnd = ended ? this.#lineEnd(this.writer.recordLength + end - from) : "more";
    if (this.pieceEnd === "bad") this.#skipping = false;
    return end;
  }

  /**
   * Shows a piece of a line to the scanner; false when the line is no JSON, with the reason set. `shift` is where
   * `source` begins in the chunk that is read.
   */
  #scanLine(source: Uint8Array, from: number, to: number, shift = 0): boolean {
    const scanner = this.#scanner;
    if (scanner === null) return true;
    let at = from;
    if (this.#pieceState === "blank") {
      at = this.#passBlanks(source, at, to);
      if (at === to) return true;
      this.#pieceState = "value";
    }
    if (this.#pieceState === "value" && at < to) {
      at = scanner.scan(source, at, to);
      if (scanner.hadNewline) this.pieceFlags |= SlotFlag.NEWLINE;
      if (scanner.status === ScanStatus.ERROR) return this.#bad(scanner.error, shift + at);
      if (scanner.status === ScanStatus.MORE) return true;
      this.#pieceState = "after";
    }
    at = this.#passBlanks(source, at, to);
    return at === to || this.#bad(unexpectedByte(source[at], "behind the value"), shift + at);
  }

  /** The first byte of `source[from, to)` that is no blank. A CR among them is a part of the record. */
  #passBlanks(source: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to && isBlank(source[at])) at++;
    if (holdsCr(source, from, at)) this.pieceFlags |= SlotFlag.NEWLINE;
    return at;
  }

  #bad(reason: string, at: number): boolean {
    this.reason = `${reason}, at byte ${this.base + at}`;
    return false;
  }

  #lineEnd(length: number): PieceEnd {
    // A CR that came before its LF began a record, and is the whole of an empty line.
    if (length === 0) return "none";
    const scanner = this.#scanner;
    if (scanner === null) return "end";
    if (this.#pieceState === "value" && scanner.finish() !== ScanStatus.DONE) {
      this.reason = "the line ends inside a value";
      return "bad";
    }
    if (this.#pieceState === "blank") {
      this.reason = "the line holds no value";
      return "bad";
    }
    this.pieceFlags |= SlotFlag.JSON;
    return "end";
  }

  protected override endOfBody(): PieceEnd {
    return this.#lineEnd(this.writer.recordLength);
  }

  protected override badPiece(): void {
    this.reject(this.reason);
  }

  protected override atEnd(): void {}
}

function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === CR;
}

function holdsCr(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === CR) return true;
  return false;
}
