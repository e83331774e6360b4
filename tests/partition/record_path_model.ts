/**
 * Records as a test sees them (plain bytes and strings), a body that writes them as framers do, and the comparison of
 * what a lane reads with what was written.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { encodeHeaders, hashKey, type RecordMeta, SlotFlag } from "../../src/core/record.ts";
import type { SegmentBatch } from "../../src/lane/batch.ts";
import type { RecordWriter } from "../../src/partition/record_writer.ts";

/** What all records of a request share. */
export interface SharedSpec {
  readonly acceptedAtMs: number;
  readonly id: string;
  readonly key: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** How one record is made and written. */
export interface RecordSpec {
  readonly length: number;
  /** `inline` is a slice of the value; `after` was decoded and stands behind it. */
  readonly key: "none" | "inline" | "after";
  readonly keyLength: number;
  readonly flags: number;
  /** Bytes between this record and the one before in their source, 1 or more. */
  readonly gap: number;
  /** Written in pieces even where it is whole. */
  readonly pieces: boolean;
  /** Taken back before its end. */
  readonly aborted: boolean;
}

/** A record that was written and must be read. */
export interface Expected {
  readonly value: Uint8Array;
  readonly key: Uint8Array | null;
  readonly flags: number;
  readonly shared: SharedSpec;
}

const encoder = new TextEncoder();
const NO_KEY = new Uint8Array(0);
let nextValue = 0;

/** Encodes what a request shares. */
export function metaOf(shared: SharedSpec): RecordMeta {
  return {
    acceptedAtMs: shared.acceptedAtMs,
    id: encoder.encode(shared.id),
    key: encoder.encode(shared.key),
    headerCount: shared.headers.length,
    headerBytes: encodeHeaders(shared.headers),
  };
}

/** A body in one piece of memory, written record by record; it stops where there is no segment and goes on there. */
export class ModelBody {
  /** Its records that were ended and not handed over. */
  ended: Expected[] = [];
  readonly #writer: RecordWriter;
  readonly #shared: SharedSpec;
  readonly #specs: readonly RecordSpec[];
  readonly #source: Uint8Array;
  readonly #places: number[] = [];
  #next = 0;
  #at = 0;
  #ending = false;

  constructor(writer: RecordWriter, shared: SharedSpec, specs: readonly RecordSpec[]) {
    this.#writer = writer;
    this.#shared = shared;
    this.#specs = specs;
    let size = 0;
    for (const { gap, length } of specs) {
      this.#places.push(size + gap);
      size += gap + length;
    }
    this.#source = new Uint8Array(size).fill(0xee);
    specs.forEach(({ length }, k) => {
      const seed = nextValue++;
      // The first two bytes number the value, so that any two of two bytes or more differ.
      for (let j = 0; j < length; j++) {
        this.#source[this.#places[k] + j] = j === 0 ? seed : j === 1 ? seed >> 8 : seed * 31 + j;
      }
    });
  }

  /** Whether every record is written. */
  get done(): boolean {
    return this.#next === this.#specs.length;
  }

  /** Writes on for at most `steps` calls of the writer. False when it waits for a segment. */
  write(steps = Infinity, pieceBytes = Infinity): boolean {
    for (let step = 0; step < steps && !this.done; step++) {
      if (!this.#step(this.#specs[this.#next], pieceBytes)) return false;
    }
    return true;
  }

  #step(spec: RecordSpec, pieceBytes: number): boolean {
    const writer = this.#writer;
    const from = this.#places[this.#next];
    const to = from + spec.length;
    const shared = this.#shared.key.length > 0;
    const flags = spec.flags | (shared ? SlotFlag.KEY_SHARED : 0);
    const sharedHash = shared ? hashKey(encoder.encode(this.#shared.key), 0, this.#shared.key.length) : -1;
    const keyLength = shared || spec.key === "none" ? 0 : spec.keyLength;
    const source = this.#source;
    // An inline key is the end of its value.
    const key = keyLength === 0
      ? NO_KEY
      : spec.key === "inline"
      ? source.slice(to - keyLength, to)
      : encoder.encode(`k${this.#next % 7}`.padEnd(keyLength, "y"));
    if (!writer.inRecord) {
      const whole = !spec.pieces && !spec.aborted && spec.key !== "after";
      if (whole) {
        const [keyFrom, keyTo] = keyLength > 0 ? [to - keyLength, to] : [-1, -1];
        const hash = keyLength > 0 ? hashKey(source, keyFrom, keyTo) : sharedHash;
        if (writer.addRecord(source, from, to, flags, keyFrom, keyTo, hash)) return this.#end(spec, key);
      }
      this.#at = from;
      this.#ending = false;
      return writer.startRecord();
    }
    if (this.#at < to) {
      const room = writer.room();
      if (room === 0) return false;
      const end = Math.min(to, this.#at + Math.min(room, pieceBytes));
      writer.append(source, this.#at, end);
      this.#at = end;
      return true;
    }
    if (spec.aborted) {
      writer.abortRecord();
      this.#next++;
      return true;
    }
    this.#ending = true;
    return writer.endRecord(flags, key, key.length, sharedHash) && this.#end(spec, key);
  }

  #end(spec: RecordSpec, key: Uint8Array): boolean {
    const from = this.#places[this.#next++];
    const shared = this.#shared.key;
    this.ended.push({
      value: this.#source.slice(from, from + spec.length),
      key: shared.length > 0 ? encoder.encode(shared) : key.length > 0 ? key : null,
      flags: spec.flags,
      shared: this.#shared,
    });
    return true;
  }

  /** Whether the record in progress is whole but for its last bytes. */
  get ending(): boolean {
    return this.#ending;
  }
}

/** Compares record `i` of `batch` with what was written, by every way of reading it. */
export function assertRecord(batch: SegmentBatch, i: number, expected: Expected): void {
  const { value, key, flags, shared } = expected;
  assertEquals(batch.valueLength(i), value.length);
  assertEquals(batch.value(i), value);
  const target = new Uint8Array(value.length + 3).fill(0xaa);
  assertEquals(batch.copyValue(i, target, 2), value.length);
  assertEquals(target, new Uint8Array([0xaa, 0xaa, ...value, 0xaa]));
  const parts = batch.valueParts(i);
  assert(parts.length > 0, "a value has at least one part");
  assertEquals(new Uint8Array(parts.flatMap((part) => [...part])), value);
  assertEquals(batch.key(i), key);
  assertEquals(batch.hasKey(i), key !== null);
  if (key !== null) assertEquals(batch.keyHash(i), hashKey(key, 0, key.length));
  assertEquals(batch.isJson(i), (flags & SlotFlag.JSON) !== 0);
  const newline = flags & SlotFlag.UNSEEN
    ? value.includes(10) || value.includes(13)
    : flags & SlotFlag.NEWLINE;
  assertEquals(batch.hasNewline(i), Boolean(newline));
  assertEquals(batch.headers(i), shared.headers);
  assertEquals(batch.acceptedAtMs(i), shared.acceptedAtMs);
  if (shared.id !== "") assertEquals(batch.id(i), shared.id);
}

/** Every run holds the values of its records, in order, with an LF behind each, and nothing else. */
export function assertRuns(batch: SegmentBatch): void {
  for (let i = 0; i < batch.count;) {
    const end = batch.runEnd(i);
    if (end === i) {
      i++;
      continue;
    }
    const lines: number[] = [];
    for (let k = i; k < end; k++) {
      assert(!batch.hasNewline(k), "no record in a run holds a newline");
      lines.push(...batch.value(k), 10);
    }
    assertEquals(batch.run(i, end), new Uint8Array(lines));
    i = end;
  }
}
