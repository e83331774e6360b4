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
const NOT_AN_OBJECT = "the record is not one JSON object, which a document must be";

/** One body after another; `encode` begins a new one. An item is a record that is in the body. */
export class BulkBody {
  readonly #gathered = new GatherBuffer();
  /** By item: the record, where its action line ends in the buffer, where the next item begins, and a long document. */
  #records: number[] = [];
  #actionEnds: number[] = [];
  #ends: number[] = [];
  #documents: (Uint8Array | null)[] = [];

  /** Items in the body. */
  get count(): number {
    return this.#records.length;
  }

  /** Encodes `batch`; what cannot be stored is rejected in `outcomes`. The body is as short-lived as the batch. */
  encode(batch: Batch, actions: ActionWriter, outcomes: BulkOutcomes): void {
    this.clear();
    const gathered = this.#gathered;
    gathered.restart(batch.bytes + batch.count * USUAL_ACTION_BYTES);
    for (let i = 0; i < batch.count; i++) {
      const document = documentOf(batch, i);
      const start = gathered.length;
      const refusal = document === null ? NOT_AN_OBJECT : actions.append(batch, i, document, gathered);
      if (document === null || refusal !== null) {
        gathered.truncate(start);
        outcomes.reject(i, refusal ?? NOT_AN_OBJECT);
        continue;
      }
      const isCopied = document.length <= MAX_COPIED_BYTES;
      this.#records.push(i);
      this.#actionEnds.push(gathered.length);
      this.#documents.push(isCopied ? null : document);
      if (isCopied) gathered.append(document);
      gathered.appendByte(Byte.LF);
      this.#ends.push(gathered.length);
    }
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
    for (let at = from; at < to; at++) bytes += this.#documents[at]?.length ?? 0;
    return bytes;
  }

  /** The pieces of items `from` to `to - 1`. */
  pieces(from: number, to: number): Uint8Array[] {
    assert(from < to && to <= this.count, "a body has items");
    const gathered = this.#gathered.view();
    const pieces: Uint8Array[] = [];
    let start = this.#startOf(from);
    for (let at = from; at < to; at++) {
      const document = this.#documents[at];
      if (document === null) continue;
      pieces.push(gathered.subarray(start, this.#actionEnds[at]), document);
      start = this.#actionEnds[at];
    }
    pieces.push(gathered.subarray(start, this.#startOf(to)));
    return pieces;
  }

  /** Lets go of the batch. */
  clear(): void {
    this.#records.length = 0;
    this.#actionEnds.length = 0;
    this.#ends.length = 0;
    this.#documents.length = 0;
  }

  #startOf(at: number): number {
    return at === 0 ? 0 : this.#ends[at - 1];
  }
}

/** Record `i` as one JSON object on one line, or null when it is none. */
function documentOf(batch: Batch, i: number): Uint8Array | null {
  const value = batch.value(i);
  if (batch.isCloudEvent(i)) return structuredEvent(batch.headers(i), value);
  let first = 0;
  while (first < value.length && isBlank(value[first])) first++;
  if (value[first] !== Byte.OPEN_OBJECT) return null;
  if (!batch.isJson(i) && !isJsonText(value, 0, value.length)) return null;
  return batch.hasNewline(i) ? withoutNewlines(value) : value;
}
