/**
 * A JSON body: an object or scalar is one record; an array is one record per element, each the exact bytes of its
 * slice. The blanks around a value and the commas between elements belong to no record.
 *
 * @module
 */
import { isBlank, unexpectedByte } from "../core/json_bytes.ts";
import { JsonScanner, ScanStatus } from "../core/json_scanner.ts";
import { SlotFlag } from "../core/record.ts";
import { Framer, type FramerOptions, jsonFlags, type PieceEnd } from "./framer.ts";

/** Where the body is between two values. */
type Place = "start" | "first-element" | "element" | "after-element" | "end";

/** What a body may be: `any` cuts arrays, `single` takes an array as one record, `array` is nothing but an array. */
export type JsonShape = "any" | "single" | "array";

/** Records of an `application/json` body. */
export class JsonFramer extends Framer {
  readonly #scanner = new JsonScanner();
  readonly #shape: JsonShape;
  #place: Place = "start";

  /** `shape` says what the body may be. */
  constructor(options: FramerOptions, shape: JsonShape) {
    super(options);
    this.#shape = shape;
  }

  protected override beginBody(): void {
    this.#place = "start";
  }

  protected override between(source: Uint8Array, from: number, to: number, last: boolean): number {
    let pos = from;
    while (pos < to && this.failure === null) {
      const byte = source[pos];
      if (isBlank(byte)) {
        pos++;
        continue;
      }
      switch (this.#place) {
        case "start":
          if (byte === 91 && this.#shape !== "single") {
            this.#place = "first-element";
            pos++;
            continue;
          }
          if (this.#shape === "array") {
            this.#unexpected(byte, pos, "where the array should begin");
            return pos;
          }
          break;
        case "first-element":
          if (byte === 93) {
            this.#place = "end";
            pos++;
            continue;
          }
          break;
        case "element":
          break;
        case "after-element":
          if (byte !== 44 && byte !== 93) {
            this.#unexpected(byte, pos, "where a comma or the end of the array should be");
            return pos;
          }
          this.#place = byte === 44 ? "element" : "end";
          pos++;
          continue;
        case "end":
          this.fail(
            `${unexpectedByte(byte, "behind the end of the JSON text")}, at byte ${this.base + pos}; ` +
              "several records are one array, or lines sent as application/x-ndjson",
          );
          return pos;
      }
      const next = this.#value(source, pos, to, last);
      if (next === pos) return pos;
      pos = next;
    }
    return pos;
  }

  /** Reads a value that begins at `from`; returns `from` when it goes on in pieces, or waits for a segment. */
  #value(source: Uint8Array, from: number, to: number, last: boolean): number {
    const scanner = this.#scanner;
    scanner.begin(false);
    const stop = scanner.scan(source, from, to);
    if (scanner.status === ScanStatus.MORE && last) scanner.finish();
    switch (scanner.status) {
      case ScanStatus.ERROR:
        this.fail(`${scanner.error}, at byte ${this.base + stop}`);
        return from;
      case ScanStatus.DONE:
        if (this.whole(source, from, stop, jsonFlags(scanner.hadNewline))) {
          if (this.failure === null) this.#valueEnded();
          return stop;
        }
        break;
      default:
        if (last) {
          this.fail(`the body ends inside a value, at byte ${this.base + to}`);
          return from;
        }
    }
    this.startPieces();
    return from;
  }

  #valueEnded(): void {
    this.#place = this.#place === "start" ? "end" : "after-element";
  }

  #unexpected(byte: number, at: number, where: string): void {
    this.fail(`${unexpectedByte(byte, where)}, at byte ${this.base + at}`);
  }

  protected override beginPieces(): void {
    this.#scanner.begin(false);
  }

  protected override scanPiece(source: Uint8Array, from: number, to: number): number {
    const scanner = this.#scanner;
    const stop = scanner.scan(source, from, to);
    if (scanner.status === ScanStatus.ERROR) {
      this.reason = `${scanner.error}, at byte ${this.base + stop}`;
      this.pieceEnd = "bad";
      return from;
    }
    this.pieceEnd = scanner.status === ScanStatus.DONE ? this.#pieceDone() : "more";
    return stop;
  }

  #pieceDone(): PieceEnd {
    this.pieceFlags |= SlotFlag.JSON | (this.#scanner.hadNewline ? SlotFlag.NEWLINE : 0);
    this.#valueEnded();
    return "end";
  }

  protected override endOfBody(): PieceEnd {
    if (this.#scanner.finish() === ScanStatus.DONE) return this.#pieceDone();
    this.reason = `the body ends inside a value, at byte ${this.base}`;
    return "bad";
  }

  protected override badPiece(): void {
    this.fail(this.reason);
  }

  protected override atEnd(): void {
    if (this.#place === "end" || this.#place === "start") return;
    this.fail("the body ends inside the array");
  }
}
