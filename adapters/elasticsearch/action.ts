/**
 * Action lines, `{"create":{"_index":"…","_id":"…","routing":"…"}}`, from bytes to bytes. All that a record can choose
 * in one is written as the inside of a JSON string, so that no record can end its line and begin another.
 *
 * @module
 */
import { PointerScanner, ScanStatus } from "../../src/core/json_pointer.ts";
import type { Batch } from "../../src/sink/adapter.ts";
import type { GatherBuffer } from "../../src/sink/gather_buffer.ts";
import { IndexPattern } from "./index_name.ts";
import { appendJsonText, isPlain } from "./json_text.ts";
import type { ElasticsearchOptions } from "./options.ts";

/** Of an `_id` in UTF-8; one that is longer makes the cluster refuse the whole bulk. */
const MAX_ID_BYTES = 512;

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** Writes the action lines of one sink. */
export class ActionWriter {
  readonly #index: IndexPattern | null;
  readonly #indexScanner: PointerScanner | null;
  /** Names that a document may choose, and the openings of their lines. */
  readonly #allowed: readonly { readonly name: Uint8Array; readonly opening: Uint8Array }[];
  /** The name that the pattern gave last, and the opening for it. */
  #openingOf: Uint8Array = NOTHING;
  #opening: Uint8Array = NOTHING;
  readonly #idScanner: PointerScanner | null;
  readonly #routingScanner: PointerScanner | null;
  readonly #options: ElasticsearchOptions;
  /** An id that must be escaped. */
  readonly #recordId: Uint8Array = new Uint8Array(MAX_ID_BYTES);

  /** For a sink with `options`. */
  constructor(options: ElasticsearchOptions) {
    const { index, id, routing, op } = options;
    this.#options = options;
    this.#index = typeof index === "string" ? new IndexPattern(index) : null;
    this.#indexScanner = typeof index === "string" ? null : new PointerScanner(index.pointer);
    this.#allowed = (typeof index === "string" ? [] : index.allow).map((name) => ({
      name: encoder.encode(name),
      opening: openingOf(op, name),
    }));
    this.#idScanner = id === undefined ? null : new PointerScanner(id);
    this.#routingScanner = routing === undefined ? null : new PointerScanner(routing);
  }

  /** Whether lines take anything from documents: index, `_id` or routing. */
  get readsDocument(): boolean {
    return this.#indexScanner !== null || this.#idScanner !== null || this.#routingScanner !== null;
  }

  /**
   * Appends the line of record `i` to `target`. `document` is its JSON object, or anything where lines take nothing from
   * it ({@linkcode readsDocument}). Returns null, or why the record cannot be stored; `target` may then hold a part of
   * the line.
   */
  append(batch: Batch, i: number, document: Uint8Array, target: GatherBuffer): string | null {
    const opening = this.#openingFor(batch, i, document);
    if (typeof opening === "string") return opening;
    target.append(opening);
    const refusal = this.#appendId(batch, i, document, target) ?? this.#appendRouting(document, target);
    target.append(END);
    return refusal;
  }

  /** The line up to the `_id`, or why the document has no index. */
  #openingFor(batch: Batch, i: number, document: Uint8Array): Uint8Array | string {
    const { index, op } = this.#options;
    if (this.#index !== null) {
      const name = this.#index.nameAt(this.#index.isDated ? batch.acceptedAtMs(i) : 0);
      if (name !== this.#openingOf) {
        this.#openingOf = name;
        this.#opening = openingOf(op, new TextDecoder().decode(name));
      }
      return this.#opening;
    }
    const scanner = this.#indexScanner!;
    const pointer = typeof index === "string" ? "" : index.pointer;
    if (!find(scanner, document)) return `the document holds no index name at ${pointer}`;
    const allowed = this.#allowed.find(({ name }) => isKey(scanner, name));
    return allowed?.opening ?? `the index name at ${pointer} is not in the sink's allow-list`;
  }

  #appendId(batch: Batch, i: number, document: Uint8Array, target: GatherBuffer): string | null {
    const scanner = this.#idScanner;
    if (scanner === null) {
      const at = target.length;
      const bytes = target.reserve(MAX_ID_BYTES);
      const length = batch.copyId(i, bytes, at);
      if (length < 0 || length > MAX_ID_BYTES) return TOO_LONG;
      if (isPlain(bytes, at, at + length)) {
        target.advance(length);
      } else {
        this.#recordId.set(bytes.subarray(at, at + length));
        appendJsonText(this.#recordId, length, target);
      }
      return null;
    }
    const { id } = this.#options;
    if (!find(scanner, document)) return `the document holds no _id at ${id}`;
    if (scanner.tooLong || scanner.keyLength > MAX_ID_BYTES) return TOO_LONG;
    if (scanner.keyLength === 0) return `the _id at ${id} is empty`;
    appendJsonText(scanner.key, scanner.keyLength, target);
    return null;
  }

  #appendRouting(document: Uint8Array, target: GatherBuffer): string | null {
    const scanner = this.#routingScanner;
    if (scanner === null) return null;
    const { routing } = this.#options;
    if (!find(scanner, document)) return `the document holds no routing value at ${routing}`;
    if (scanner.tooLong || scanner.keyLength === 0) {
      return `the routing value at ${routing} is empty or too long`;
    }
    target.append(ROUTING_MEMBER);
    appendJsonText(scanner.key, scanner.keyLength, target);
    return null;
  }
}

const ROUTING_MEMBER = encoder.encode(`","routing":"`);
const END = encoder.encode(`"}}\n`);
const TOO_LONG = `the _id has more than ${MAX_ID_BYTES} bytes, which the cluster does not take`;

function openingOf(op: string, index: string): Uint8Array {
  return encoder.encode(`{"${op}":{"_index":"${index}","_id":"`);
}

function find(scanner: PointerScanner, document: Uint8Array): boolean {
  scanner.begin();
  scanner.scan(document, 0, document.length);
  scanner.finish();
  return scanner.status === ScanStatus.FOUND;
}

function isKey({ key, keyLength }: PointerScanner, name: Uint8Array): boolean {
  if (keyLength !== name.length) return false;
  for (let at = 0; at < keyLength; at++) if (key[at] !== name[at]) return false;
  return true;
}
