/**
 * The body of a `_bulk`: an action line before each document. Action lines and short documents are gathered in one
 * buffer, since a write of a socket costs more than a copy of some hundred bytes; long documents stay where they are and
 * are sent as views of their segments.
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";
import { Byte, isBlank } from "../../src/core/json_bytes.ts";
import { isJsonText } from "../../src/core/json_scanner.ts";
import type { Batch } from "../../src/sink/adapter.ts";
import { structuredEvent } from "../../src/sink/cloud_event.ts";
import { GatherBuffer } from "../../src/sink/gather_buffer.ts";
import { withoutNewlines } from "../../src/sink/without_newlines.ts";
import type { ActionWriter } from "./action.ts";
import type { BulkOutcomes } from "./outcomes.ts";

/** Up to here a copy is cheaper than a piece of its own (measured at 300 B: twice the throughput); beyond it makes no odds. */
const MAX_COPIED_BYTES = 4096;
/** Of an action line with a name and an id of usual length; only the first guess of the buffer's size. */
const USUAL_ACTION_BYTES = 128;
const NOTHING = new Uint8Array(0);
const NO_ITEMS = new Uint32Array(0);
const NOT_AN_OBJECT = "the record is not one JSON object, which a document must be";

/** One body after another; `encode` begins a new one. An item is a record that is in the body. */
export class BulkBody {
  readonly #gathered = new GatherBuffer();
  /** By item: the record, where its action line ends in the buffer, and where the next item begins. */
  #records: Uint32Array = NO_ITEMS;
  #actionEnds: Uint32Array = NO_ITEMS;
  #ends: Uint32Array = NO_ITEMS;
  #count = 0;
  /** Long documents by item, ascending. */
  readonly #documents: Map<number, Uint8Array> = new Map();

  /** Items in the body. */
  get count(): number {
    return this.#count;
  }

  /** Encodes `batch`; what cannot be stored is rejected in `outcomes`. The body is as short-lived as the batch. */
  encode(batch: Batch, actions: ActionWriter, outcomes: BulkOutcomes): void {
    this.clear();
    if (this.#records.length < batch.count) {
      this.#records = new Uint32Array(batch.count);
      this.#actionEnds = new Uint32Array(batch.count);
      this.#ends = new Uint32Array(batch.count);
    }
    const [records, actionEnds, ends] = [this.#records, this.#actionEnds, this.#ends];
    const gathered = this.#gathered;
    const copiesUnseen = !actions.readsDocument;
    let count = 0;
    gathered.restart(batch.bytes + batch.count * USUAL_ACTION_BYTES);
    for (let i = 0; i < batch.count; i++) {
      const start = gathered.length;
      const length = batch.valueLength(i);
      const isShort = copiesUnseen && length <= MAX_COPIED_BYTES && isPlainJson(batch, i);
      const document = isShort ? NOTHING : documentOf(batch, i);
      const refusal = document === null ? NOT_AN_OBJECT : actions.append(batch, i, document, gathered);
      const actionEnd = gathered.length;
      if (document === null || refusal !== null || isShort && !copyObject(batch, i, length, gathered)) {
        gathered.truncate(start);
        outcomes.reject(i, refusal ?? NOT_AN_OBJECT);
        continue;
      }
      if (document.length > MAX_COPIED_BYTES) this.#documents.set(count, document);
      else if (!isShort) gathered.append(document);
      gathered.appendByte(Byte.LF);
      records[count] = i;
      actionEnds[count] = actionEnd;
      ends[count++] = gathered.length;
    }
    this.#count = count;
  }

  /** Index in the batch of item `at`. */
  record(at: number): number {
    return this.#records[at];
  }

  /** Action line of item `at`, for people. */
  action(at: number): string {
    return new TextDecoder().decode(this.#gathered.view().subarray(this.#startOf(at), this.#actionEnds[at]));
  }

  /** Bytes of items `from` to `to - 1`. */
  byteLength(from: number, to: number): number {
    let bytes = this.#startOf(to) - this.#startOf(from);
    for (const [at, document] of this.#documents) if (at >= from && at < to) bytes += document.length;
    return bytes;
  }

  /** The pieces of items `from` to `to - 1`. */
  pieces(from: number, to: number): Uint8Array[] {
    assert(from < to && to <= this.count, "a body has items");
    const gathered = this.#gathered.view();
    const pieces: Uint8Array[] = [];
    let start = this.#startOf(from);
    for (const [at, document] of this.#documents) {
      if (at < from || at >= to) continue;
      pieces.push(gathered.subarray(start, this.#actionEnds[at]), document);
      start = this.#actionEnds[at];
    }
    pieces.push(gathered.subarray(start, this.#startOf(to)));
    return pieces;
  }

  /** Lets go of the batch. */
  clear(): void {
    this.#count = 0;
    this.#documents.clear();
  }

  #startOf(at: number): number {
    return at === 0 ? 0 : this.#ends[at - 1];
  }
}

/** Whether record `i` is known to be JSON on one line. */
function isPlainJson(batch: Batch, i: number): boolean {
  return batch.isJson(i) && !batch.hasNewline(i) && !batch.isCloudEvent(i);
}

/** Appends the value of record `i`, of `length` bytes, unless it is no object: then false. */
function copyObject(batch: Batch, i: number, length: number, target: GatherBuffer): boolean {
  const from = target.length;
  const bytes = target.reserve(length);
  batch.copyValue(i, bytes, from);
  target.advance(length);
  return beginsObject(bytes, from, from + length);
}

/** Whether the first byte of `bytes[from, to)` that is no blank opens an object. */
function beginsObject(bytes: Uint8Array, from: number, to: number): boolean {
  let first = from;
  while (first < to && isBlank(bytes[first])) first++;
  return first < to && bytes[first] === Byte.OPEN_OBJECT;
}

/** Record `i` as one JSON object on one line, or null when it is none. */
function documentOf(batch: Batch, i: number): Uint8Array | null {
  const value = batch.value(i);
  if (batch.isCloudEvent(i)) return structuredEvent(batch.headers(i), value);
  if (!beginsObject(value, 0, value.length)) return null;
  if (!batch.isJson(i) && !isJsonText(value, 0, value.length)) return null;
  return batch.hasNewline(i) ? withoutNewlines(value) : value;
}
