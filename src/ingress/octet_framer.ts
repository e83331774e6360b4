/**
 * The body is one record, byte for byte, whatever is in it. With validation it must be one JSON text, blanks around it
 * allowed.
 *
 * @module
 */
import { isBlank, unexpectedByte } from "../core/json_bytes.ts";
import { JsonScanner, ScanStatus } from "../core/json_scanner.ts";
import { SlotFlag } from "../core/record.ts";
import { Framer, type FramerOptions, type PieceEnd } from "./framer.ts";

/** The record of an `application/octet-stream` or binary CloudEvents body. */
export class OctetFramer extends Framer {
  readonly #scanner: JsonScanner | null;
  #state: "blank" | "value" | "after" = "blank";

  /** Scans only where records are validated. */
  constructor(options: FramerOptions) {
    super(options);
    this.#scanner = options.validateJson ? new JsonScanner() : null;
  }

  protected override beginBody(): void {
    this.#state = "blank";
  }

  protected override between(source: Uint8Array, from: number, to: number, last: boolean): number {
    if (last && this.index === 0) {
      this.beginPieces();
      if (!this.#scan(source, from, to) || !this.#complete(to)) {
        this.fail(this.reason);
        return from;
      }
      const flags = (this.#scanner ? SlotFlag.JSON : 0) | SlotFlag.NEWLINE | SlotFlag.UNSEEN;
      if (this.whole(source, from, to, flags)) return to;
    }
    this.startPieces();
    return from;
  }

  protected override beginPieces(): void {
    this.#state = "blank";
    this.#scanner?.begin(false);
  }

  protected override scanPiece(source: Uint8Array, from: number, to: number): number {
    this.pieceEnd = "more";
    if (!this.#scan(source, from, to)) {
      this.pieceEnd = "bad";
      return from;
    }
    this.pieceFlags |= SlotFlag.NEWLINE | SlotFlag.UNSEEN;
    return to;
  }

  #scan(source: Uint8Array, from: number, to: number): boolean {
    const scanner = this.#scanner;
    if (scanner === null) return true;
    let at = from;
    if (this.#state === "blank") {
      while (at < to && isBlank(source[at])) at++;
      if (at === to) return true;
      this.#state = "value";
    }
    if (this.#state === "value") {
      at = scanner.scan(source, at, to);
      if (scanner.status === ScanStatus.ERROR) {
        this.reason = `${scanner.error}, at byte ${this.base + at}`;
        return false;
      }
      if (scanner.status === ScanStatus.MORE) return true;
      this.#state = "after";
    }
    while (at < to && isBlank(source[at])) at++;
    if (at === to) return true;
    this.reason = `${unexpectedByte(source[at], "behind the value")}, at byte ${this.base + at}`;
    return false;
  }

  #complete(at: number): boolean {
    const scanner = this.#scanner;
    if (scanner === null || this.#state === "after") return true;
    if (this.#state === "value" && scanner.finish() === ScanStatus.DONE) return true;
    this.reason = `the body ends inside a value, at byte ${this.base + at}`;
    return false;
  }

  protected override endOfBody(): PieceEnd {
    if (!this.#complete(0)) return "bad";
    if (this.#scanner) this.pieceFlags |= SlotFlag.JSON;
    return "end";
  }

  protected override badPiece(): void {
    this.fail(this.reason);
  }

  protected override atEnd(): void {}
}
