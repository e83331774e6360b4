/**
 * Records that a sink will never take go to another sink, as one JSON object each: an operator finds there what was
 * refused, why, and the bytes to send again.
 *
 * They travel as records of a small stream of their own, with its own segments, so that a sink that refuses everything
 * does not eat the memory of those that do not. When that stream is full (its sink is slow or down) the refused records
 * stay where they are, unsettled: their lane runs out of credit and waits. Nothing is dropped.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { SlotFlag } from "../core/record.ts";
import { AckCounter } from "../partition/acks.ts";
import type { ResultPartition } from "../partition/result_partition.ts";
import { type Batch, Outcome } from "../sink/adapter.ts";

/** Rejected records of one write. */
export interface Rejection {
  /** The batch; its records stay unsettled until `done`. */
  readonly batch: Batch;
  /** Outcomes by index; those that are `REJECTED` are meant. */
  readonly outcomes: Uint8Array;
  /** Why record `i` was rejected. */
  readonly reason: (i: number) => string;
  /** Writes that were tried. */
  readonly attempts: number;
  /** All are stored by the dead-letter sink. */
  readonly done: () => void;
}

/** JSON may write one byte as six (`\u0000`); the fields around the value are bounded by the limits on keys, ids and reasons. */
const GROWTH = 6;
const FIELDS_BYTES = 32_768;
/** Longest reason kept, in characters. */
const MAX_REASON = 1000;

/** Bytes that the dead letter of the largest record may take. */
export function largestDeadLetterBytes(maxRecordBytes: number): number {
  return maxRecordBytes * GROWTH + FIELDS_BYTES;
}

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const decoder = new TextDecoder();

/** The way of one lane's rejected records to their dead-letter sink. */
export class DeadLetter {
  readonly #sink: string;
  readonly #partition: ResultPartition;
  readonly #wallTime: () => number;
  /** Not stored yet, those that wait among them. */
  readonly #pending: Map<Rejection, AckCounter> = new Map();
  readonly #waiting: { rejection: Rejection; at: number; counter: AckCounter }[] = [];

  /** `partition` is the small stream; `sink` the name of the sink that rejects; `wallTime` gives ms since 1970. */
  constructor(options: { sink: string; partition: ResultPartition; wallTime: () => number }) {
    this.#sink = options.sink;
    this.#partition = options.partition;
    this.#wallTime = options.wallTime;
  }

  /** Writes of rejected records that wait for room. Bounded by the credits of the lanes that submit. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Forgets everything that is not stored, and returns it, so that it can be sent another way. To be called too when the
   * lanes that it came from are given up: their segments go to others.
   */
  withdraw(): Rejection[] {
    const withdrawn = [...this.#pending.keys()];
    for (const counter of this.#pending.values()) counter.abandon();
    this.#pending.clear();
    this.#waiting.length = 0;
    return withdrawn;
  }

  /** Takes the rejected records on. */
  submit(rejection: Rejection): void {
    const counter = new AckCounter({
      allSettled: () => {
        this.#pending.delete(rejection);
        rejection.done();
      },
    });
    this.#pending.set(rejection, counter);
    this.#waiting.push({ rejection, at: 0, counter });
    if (this.#waiting.length === 1) this.serve();
  }

  /** Writes what waits as far as there is room; called when there may be some. */
  serve(): void {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const { batch, outcomes } = first.rejection;
      for (; first.at < batch.count; first.at++) {
        if (outcomes[first.at] !== Outcome.REJECTED) continue;
        if (!this.#partition.pool.isAvailable || !this.#write(first.rejection, first.at, first.counter)) {
          return;
        }
      }
      this.#waiting.shift();
      first.counter.seal();
    }
  }

  #write(rejection: Rejection, i: number, counter: AckCounter): boolean {
    const line = this.#encode(rejection, i);
    const writer = this.#partition.begin(this.#partition.plainMeta());
    assert(!writer.inRecord, "dead letters are written one after the other");
    let at = 0;
    let ok = writer.startRecord();
    while (ok && at < line.length) {
      const room = writer.room();
      ok = room > 0;
      const end = Math.min(line.length, at + room);
      if (ok) writer.append(line, at, end);
      at = end;
    }
    if (!ok || !writer.endRecord(SlotFlag.JSON, line, 0, -1)) {
      this.#partition.rollback();
      return false;
    }
    this.#partition.commit(counter);
    return true;
  }

  #encode(rejection: Rejection, i: number): Uint8Array {
    const batch = rejection.batch;
    const key = batch.key(i);
    const value = batch.value(i);
    const letter: Record<string, unknown> = {
      time: new Date(this.#wallTime()).toISOString(),
      stream: batch.stream,
      sink: this.#sink,
      reason: rejection.reason(i).slice(0, MAX_REASON),
      attempts: rejection.attempts,
      id: batch.id(i),
      key: key === null ? null : decoder.decode(key),
    };
    try {
      letter.value = strictDecoder.decode(value);
    } catch {
      letter.valueBase64 = toBase64(value);
    }
    return encoder.encode(JSON.stringify(letter));
  }
}

/** In pieces of a multiple of three bytes, because a call takes a bounded number of arguments. */
function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 24_576) {
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + 24_576)));
  }
  return text;
}
