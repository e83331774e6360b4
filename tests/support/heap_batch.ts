/**
 * A batch over plain arrays, for tests of adapters: the contract of `src/sink/adapter.ts` without segments. The memory
 * can be laid out in each of the ways that segments have, and overwritten when a write has settled.
 *
 * @module
 */
import { copyText } from "../../src/core/bytes.ts";
import { hashKey } from "../../src/core/record.ts";
import type { Batch } from "../../src/sink/adapter.ts";

/** A record as a test writes it. */
export interface HeapRecord {
  /** Its bytes, or its text. */
  readonly value: Uint8Array | string;
  /** Its key. */
  readonly key?: string;
  /** Whether it is *known* to be JSON; by default whether it is. */
  readonly json?: boolean;
  /** Record headers, names in lower case. */
  readonly headers?: readonly (readonly [string, string])[];
  /** Whether it is a CloudEvent in binary mode. */
  readonly cloudEvent?: boolean;
  /** Its id; by default the batch's `idPrefix` and its index. */
  readonly id?: string;
}

/**
 * Where values lie. `adjacent`: in one piece of memory, as records of one segment; `apart`: each in a piece of its own;
 * `spanning`: each over two pieces, as a record that goes on in the next segment.
 */
export type HeapLayout = "adjacent" | "apart" | "spanning";

/** What a batch is beside its records. */
export interface HeapBatchOptions {
  /** Default `adjacent`. */
  readonly layout?: HeapLayout;
  /** Default `events`. */
  readonly stream?: string;
  /** Default 1. */
  readonly attempt?: number;
  /** Acceptance time of record 0; each one later by 1 ms. Default now: brokers delete what is a week old. */
  readonly acceptedAtMs?: number;
  /** Begins the ids of records that have none of their own. Default `record-`. */
  readonly idPrefix?: string;
}

interface Placed {
  readonly record: HeapRecord;
  readonly parts: readonly Uint8Array[];
  readonly length: number;
  readonly json: boolean;
  readonly newline: boolean;
  readonly key: Uint8Array | null;
}

const LF = 0x0a;
const encoder = new TextEncoder();

/** The batch. */
export class HeapBatch implements Batch {
  readonly stream: string;
  readonly count: number;
  readonly bytes: number;
  readonly attempt: number;
  readonly #layout: HeapLayout;
  readonly #acceptedAtMs: number;
  readonly #idPrefix: string;
  readonly #memory: readonly Uint8Array<ArrayBuffer>[];
  readonly #placed: readonly Placed[];

  /** Copies `records`; at least one. */
  constructor(records: readonly (HeapRecord | string)[], options: HeapBatchOptions = {}) {
    if (records.length === 0) throw new Error("Cannot make a batch of no records: needs at least 1");
    const whole = records.map((each) => typeof each === "string" ? { value: each } : each);
    const values = whole.map(({ value }) => typeof value === "string" ? encoder.encode(value) : value);
    this.stream = options.stream ?? "events";
    this.attempt = options.attempt ?? 1;
    this.count = records.length;
    this.bytes = values.reduce((sum, value) => sum + value.length, 0);
    this.#layout = options.layout ?? "adjacent";
    this.#acceptedAtMs = options.acceptedAtMs ?? Date.now();
    this.#idPrefix = options.idPrefix ?? "record-";
    const { memory, parts } = layOut(values, this.#layout);
    this.#memory = memory;
    this.#placed = whole.map((record, i) => ({
      record,
      parts: parts[i],
      length: values[i].length,
      json: record.json ?? isJson(values[i]),
      newline: values[i].includes(LF) || values[i].includes(0x0d),
      key: record.key === undefined ? null : encoder.encode(record.key),
    }));
  }

  /** Overwrites all values, as the next records in the segments do after a write has settled. */
  overwrite(): void {
    for (const piece of this.#memory) piece.fill(0x21);
  }

  valueLength(i: number): number {
    return this.#placed[i].length;
  }

  value(i: number): Uint8Array {
    const { parts } = this.#placed[i];
    if (parts.length === 1) return parts[0];
    const copy = new Uint8Array(this.valueLength(i));
    this.copyValue(i, copy, 0);
    return copy;
  }

  copyValue(i: number, target: Uint8Array, offset: number): number {
    let at = offset;
    for (const part of this.#placed[i].parts) {
      target.set(part, at);
      at += part.length;
    }
    return at - offset;
  }

  valueParts(i: number): Uint8Array[] {
    return [...this.#placed[i].parts];
  }

  isJson(i: number): boolean {
    return this.#placed[i].json;
  }

  hasNewline(i: number): boolean {
    return this.#placed[i].newline;
  }

  runEnd(i: number): number {
    let end = i;
    while (end < this.count && this.#isLine(end)) {
      end++;
      if (this.#layout !== "adjacent") break;
    }
    return end;
  }

  run(i: number, j: number): Uint8Array {
    const first = this.#placed[i].parts[0];
    const last = this.#placed[j - 1].parts[0];
    return new Uint8Array(
      first.buffer,
      first.byteOffset,
      last.byteOffset + last.length + 1 - first.byteOffset,
    );
  }

  key(i: number): Uint8Array | null {
    return this.#placed[i].key;
  }

  keyHash(i: number): number {
    const key = this.key(i);
    return key === null ? i : hashKey(key, 0, key.length);
  }

  headers(i: number): readonly (readonly [string, string])[] {
    return this.#placed[i].record.headers ?? [];
  }

  isCloudEvent(i: number): boolean {
    return this.#placed[i].record.cloudEvent ?? false;
  }

  id(i: number): string {
    return this.#placed[i].record.id ?? `${this.#idPrefix}${i}`;
  }

  copyId(i: number, target: Uint8Array, offset: number): number {
    return copyText(this.id(i), target, offset);
  }

  acceptedAtMs(i: number): number {
    return this.#acceptedAtMs + i;
  }

  #isLine(i: number): boolean {
    return this.#layout !== "spanning" && !this.hasNewline(i) && !this.isCloudEvent(i);
  }
}

/** Pieces of memory, and each value's parts in them; every value that does not span has an LF behind it. */
function layOut(
  values: readonly Uint8Array[],
  layout: HeapLayout,
): { memory: Uint8Array<ArrayBuffer>[]; parts: Uint8Array[][] } {
  if (layout === "adjacent") {
    const piece = new Uint8Array(values.reduce((sum, value) => sum + value.length + 1, 0));
    let at = 0;
    const parts = values.map((value) => {
      const from = at;
      piece.set(value, from);
      piece[from + value.length] = LF;
      at = from + value.length + 1;
      return [piece.subarray(from, at - 1)];
    });
    return { memory: [piece], parts };
  }
  const memory: Uint8Array<ArrayBuffer>[] = [];
  const parts = values.map((value) => {
    const cut = layout === "spanning" ? value.length >> 1 : value.length;
    const slices = cut === value.length ? [value] : [value.subarray(0, cut), value.subarray(cut)];
    return slices.map((slice) => {
      const piece = new Uint8Array(slice.length + 1);
      piece.set(slice);
      piece[slice.length] = LF;
      memory.push(piece);
      return piece.subarray(0, slice.length);
    });
  });
  return { memory, parts };
}

function isJson(value: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value));
    return true;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return false;
    throw error;
  }
}
