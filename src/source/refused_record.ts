/**
 * A record that its stream does not take, as the batch of one that a dead letter is made of: an operator finds it where
 * the records are that sinks refuse, with the place in Kafka that it is from.
 *
 * @module
 */
import { copyText } from "../core/bytes.ts";
import type { RecordMeta } from "../core/record.ts";
import { hashKey } from "../core/record.ts";
import type { Rejection } from "../lane/dead_letter.ts";
import { type Batch, Outcome } from "../sink/adapter.ts";

const decoder = new TextDecoder();

/** The record. */
export class RefusedRecord implements Rejection, Batch {
  readonly stream: string;
  readonly outcomes: Uint8Array = Uint8Array.of(Outcome.REJECTED);
  readonly attempts = 0;
  readonly attempt = 1;
  readonly count = 1;
  readonly bytes: number;
  readonly done: () => void;
  readonly #value: Uint8Array;
  readonly #reason: string;
  readonly #id: string;
  readonly #key: Uint8Array | null;
  readonly #acceptedAtMs: number;

  /** Copies what it needs: views would keep the whole answer in memory that they are of, for as long as a dead letter waits. */
  constructor(options: {
    stream: string;
    meta: RecordMeta;
    value: Uint8Array;
    reason: string;
    done: () => void;
  }) {
    this.stream = options.stream;
    this.bytes = options.value.length;
    this.done = options.done;
    this.#value = new Uint8Array(options.value);
    this.#reason = options.reason;
    this.#id = decoder.decode(options.meta.id);
    this.#key = options.meta.key.length > 0 ? new Uint8Array(options.meta.key) : null;
    this.#acceptedAtMs = options.meta.acceptedAtMs;
  }

  get batch(): Batch {
    return this;
  }

  reason(): string {
    return this.#reason;
  }

  valueLength(): number {
    return this.#value.length;
  }

  value(): Uint8Array {
    return this.#value;
  }

  copyValue(_i: number, target: Uint8Array, offset: number): number {
    target.set(this.#value, offset);
    return this.#value.length;
  }

  valueParts(): Uint8Array[] {
    return [this.#value];
  }

  isJson(): boolean {
    return false;
  }

  hasNewline(): boolean {
    return true;
  }

  runEnd(i: number): number {
    return i;
  }

  run(): Uint8Array {
    return this.#value;
  }

  key(): Uint8Array | null {
    return this.#key;
  }

  keyHash(): number {
    return this.#key === null ? 0 : hashKey(this.#key, 0, this.#key.length);
  }

  headers(): readonly (readonly [string, string])[] {
    return [];
  }

  isCloudEvent(): boolean {
    return false;
  }

  id(): string {
    return this.#id;
  }

  copyId(_i: number, target: Uint8Array, offset: number): number {
    return copyText(this.#id, target, offset);
  }

  acceptedAtMs(): number {
    return this.#acceptedAtMs;
  }
}
