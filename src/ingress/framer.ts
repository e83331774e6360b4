/**
 * A framer cuts a body into records while it arrives and writes them into segments.
 *
 * A record that is whole in the chunk is scanned once and written by its slot alone. One that is not is written piece
 * by piece: only as many bytes are scanned as there is room for, so scanning is never ahead of memory, and a body that
 * finds no segment stops at a byte and goes on there.
 *
 * @module
 */
import { hashKey, SlotFlag } from "../core/record.ts";
import { ScanStatus as PointerStatus } from "../core/json_pointer.ts";
import type { PointerScanner } from "../core/json_pointer.ts";
import { memberFault } from "./event_rules.ts";
import type { RecordWriter } from "../partition/record_writer.ts";

/** How a stream's records are taken. */
export interface FramerOptions {
  /** Whether a record must be one JSON text. */
  readonly validateJson: boolean;
  /** Largest value, bytes. */
  readonly maxRecordBytes: number;
  /** Where the key stands in a record; null when records have none of their own. */
  readonly keyPointer: PointerScanner | null;
  /** Where the attributes stand that a CloudEvent must have; empty for other records. */
  readonly required: readonly PointerScanner[];
}

/** A record that was refused while others may be taken. */
export interface RejectedRecord {
  /** Index in the request, from 0. */
  readonly index: number;
  /** Why. */
  readonly reason: string;
}

/** Why a body cannot be read on. */
export interface FramerFailure {
  /** `bad`: not what its type says (400). `record-too-large`: over `maxRecordBytes` (413). */
  readonly kind: "bad" | "record-too-large";
  /** What is wrong, with the place. */
  readonly detail: string;
}

/** How a piece of the record in progress ended; `none`: there is no record after all. */
export type PieceEnd = "more" | "end" | "bad" | "none";

/** Most rejected records that an answer lists. */
export const MAX_LISTED_REJECTS = 100;

/** What all framers share: the slow path, keys, limits and counts. */
export abstract class Framer {
  /** Where the records go. */
  writer!: RecordWriter;
  /** Index of the next record; those rejected are counted. */
  index = 0;
  /** Records refused by validation. */
  rejectedCount = 0;
  /** The first of them. */
  rejected: readonly RejectedRecord[] = NONE;
  /** Set when the body cannot be read on. */
  failure: FramerFailure | null = null;
  /** Bytes of the body before the chunk that is being read. */
  protected base = 0;
  protected readonly options: FramerOptions;
  /** Flags of the record in progress beside the common ones. */
  protected pieceFlags = 0;
  #ending = false;

  #sharedKeyHash = -1;
  #flags = 0;

  /** `begin` comes before everything else. */
  constructor(options: FramerOptions) {
    this.options = options;
  }

  /**
   * Begins a body; a framer serves one after the other. `sharedKeyHash` is the hash of the key that all its records
   * share, or -1; `flags` are those of every slot.
   */
  begin(writer: RecordWriter, sharedKeyHash: number, flags: number): void {
    this.writer = writer;
    this.#sharedKeyHash = sharedKeyHash;
    this.#flags = flags;
    this.index = 0;
    this.rejectedCount = 0;
    this.rejected = NONE;
    this.failure = null;
    this.base = 0;
    this.#ending = false;
    this.#moved = false;
    this.beginBody();
  }

  /** Forgets the body before. */
  protected abstract beginBody(): void;

  /**
   * Reads `source[from, to)`; `last` says that the body ends there. Returns the index of the first byte not consumed:
   * less than `to`, or `done` false with `last`, when a segment is missing; call again from there.
   */
  push(source: Uint8Array, from: number, to: number, last: boolean): number {
    let pos = from;
    if (this.#ending) {
      if (!this.#end()) return pos;
    }
    while (this.failure === null && pos < to) {
      const next = this.writer.inRecord ? this.#pieces(source, pos, to) : this.between(source, pos, to, last);
      if (next === pos && !this.#moved) return pos;
      this.#moved = false;
      pos = next;
      if (this.#ending) return pos;
    }
    if (last && this.failure === null && !this.#ending && pos === to) {
      if (this.writer.inRecord) this.#closePiece(this.endOfBody());
      if (!this.writer.inRecord && !this.#ending && this.failure === null) this.atEnd();
    }
    return pos;
  }

  /** Whether everything pushed is written: nothing waits for a segment. */
  get done(): boolean {
    return !this.#ending;
  }

  /** The chunk of `length` bytes was consumed: offsets in messages count on. */
  chunkConsumed(length: number): void {
    this.base += length;
  }

  /** A key that the request names wins over the record's own. */
  get #keyPointer(): PointerScanner | null {
    return this.#sharedKeyHash >= 0 ? null : this.options.keyPointer;
  }

  #moved = false;

  /** Reads between two records; returns where it stopped. Starts a record in pieces by `startPieces`. */
  protected abstract between(source: Uint8Array, from: number, to: number, last: boolean): number;
  /** Scans a piece of the record in progress; returns the end of its bytes and sets `pieceEnd`. */
  protected abstract scanPiece(source: Uint8Array, from: number, to: number): number;
  /** How the last `scanPiece` ended. */
  protected pieceEnd: PieceEnd = "more";
  /** Bytes to pass over behind the record that `scanPiece` ended. */
  protected pieceSkip = 0;
  /** Resets what `scanPiece` needs. */
  protected abstract beginPieces(): void;
  /** The body ends inside a record in progress. */
  protected abstract endOfBody(): PieceEnd;
  /** The body ends between records. */
  protected abstract atEnd(): void;
  /** The record in progress is bad; `reason` was set by `scanPiece`. False when the body cannot go on. */
  protected abstract badPiece(): void;
  /** Why the record in progress is bad. */
  protected reason = "";

  /** Writes a record that is whole in `source`. False: begin it in pieces. */
  protected whole(source: Uint8Array, from: number, to: number, flags: number): boolean {
    const { required } = this.options;
    const keyPointer = this.#keyPointer;
    if (to - from > this.options.maxRecordBytes) {
      this.tooLarge();
      return true;
    }
    for (let k = 0; k < required.length; k++) {
      required[k].begin();
      required[k].scan(source, from, to);
      required[k].finish();
    }
    const fault = memberFault(required);
    if (fault !== null) {
      this.reject(fault);
      return true;
    }
    let keyFrom = -1;
    let keyTo = -1;
    let keyHash = this.#sharedKeyHash;
    if (keyPointer !== null) {
      keyPointer.begin();
      keyPointer.scan(source, from, to);
      keyPointer.finish();
      if (keyPointer.status === PointerStatus.FOUND) {
        if (keyPointer.tooLong) {
          this.reject(KEY_TOO_LONG);
          return true;
        }
        if (keyPointer.inlineFrom < 0) return false;
        keyFrom = keyPointer.inlineFrom;
        keyTo = keyPointer.inlineTo;
        keyHash = hashKey(source, keyFrom, keyTo);
      }
    }
    if (!this.writer.addRecord(source, from, to, flags | this.#flags, keyFrom, keyTo, keyHash)) {
      return false;
    }
    this.index++;
    return true;
  }

  /** Starts a record in pieces at the next byte. False: no segment now. */
  protected startPieces(): boolean {
    if (!this.writer.startRecord()) return false;
    this.pieceFlags = 0;
    this.#keyPointer?.begin();
    for (const pointer of this.options.required) pointer.begin();
    this.beginPieces();
    this.#moved = true;
    return true;
  }

  /** The record at `index` is refused; the body goes on. */
  protected reject(reason: string): void {
    if (this.rejected.length < MAX_LISTED_REJECTS) {
      this.rejected = [...this.rejected, { index: this.index, reason }];
    }
    this.rejectedCount++;
    this.index++;
  }

  /** The body cannot be read on. */
  protected fail(detail: string): void {
    this.failure = { kind: "bad", detail: `record ${this.index}: ${detail}` };
  }

  /** The record at `index` is over the limit. */
  protected tooLarge(): void {
    this.failure = {
      kind: "record-too-large",
      detail: `record ${this.index} is over maxRecordBytes ${this.options.maxRecordBytes}`,
    };
  }

  #pieces(source: Uint8Array, from: number, to: number): number {
    const room = this.writer.room();
    if (room === 0) return from;
    const end = Math.min(to, from + room);
    const stop = this.scanPiece(source, from, end);
    this.feed(source, from, stop);
    if (this.writer.recordLength > this.options.maxRecordBytes) {
      this.writer.abortRecord();
      this.tooLarge();
      return stop;
    }
    const consumed = stop + this.pieceSkip;
    this.pieceSkip = 0;
    this.#closePiece(this.pieceEnd);
    if (consumed === from) this.#moved = true;
    return consumed;
  }

  /** Appends bytes to the record in progress and shows them to the pointers. */
  protected feed(source: Uint8Array, from: number, to: number): void {
    if (to <= from) return;
    this.#keyPointer?.scan(source, from, to);
    for (const pointer of this.options.required) pointer.scan(source, from, to);
    this.writer.append(source, from, to);
  }

  #closePiece(end: PieceEnd): void {
    if (end === "more") return;
    if (end === "none") {
      this.writer.abortRecord();
      return;
    }
    if (end === "bad") {
      this.writer.abortRecord();
      this.badPiece();
      return;
    }
    const { required } = this.options;
    const keyPointer = this.#keyPointer;
    keyPointer?.finish();
    for (let k = 0; k < required.length; k++) required[k].finish();
    const fault = memberFault(required);
    if (fault !== null) {
      this.writer.abortRecord();
      this.reject(fault);
      return;
    }
    if (keyPointer?.status === PointerStatus.FOUND && keyPointer.tooLong) {
      this.writer.abortRecord();
      this.reject(KEY_TOO_LONG);
      return;
    }
    this.#ending = true;
    this.#end();
  }

  #end(): boolean {
    const pointer = this.#keyPointer;
    const found = pointer !== null && pointer.status === PointerStatus.FOUND;
    const ended = this.writer.endRecord(
      this.pieceFlags | this.#flags,
      found ? pointer.key : NO_KEY,
      found ? pointer.keyLength : 0,
      this.#sharedKeyHash,
    );
    if (!ended) return false;
    this.#ending = false;
    this.index++;
    return true;
  }
}

const NONE: readonly RejectedRecord[] = [];
const NO_KEY = new Uint8Array(0);
const KEY_TOO_LONG = "its key is longer than 1024 bytes";

/** Flags for a value that was scanned as JSON. */
export function jsonFlags(hadNewline: boolean): number {
  return SlotFlag.JSON | (hadNewline ? SlotFlag.NEWLINE : 0);
}
