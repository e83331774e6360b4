/**
 * What really happened to every record, kept outside the gateway: who sent it, what the client was told, and where it
 * lies. The promises are checked as things happen, so that a failure stands at its cause.
 *
 * @module
 */
import { assert } from "@std/assert";

/** One request as the book sees it. */
export interface RequestEntry {
  readonly id: number;
  readonly stream: string;
  /** Number of its first record; the others follow. */
  readonly firstRecord: number;
  /** Index in the body of each of its records, ascending. */
  readonly indexes: readonly number[];
  /** Step at which the last byte was given to the gateway. */
  lastByteStep: number;
  /** Step at which all its records were known to be taken. */
  takenStep: number;
  /** `next` of the answer, or -1 before: records from there on must never be stored. */
  next: number;
}

interface Order {
  /** Latest `lastByteStep` of a request that has a record here already. */
  lastByteStep: number;
  request: number;
  index: number;
}

/** All records of one world. */
export class Book {
  readonly #requestOf: RequestEntry[] = [];
  readonly #keyOf: string[] = [];
  readonly #stored: Map<string, Uint8Array> = new Map();
  readonly #dead: Map<string, Uint8Array> = new Map();
  readonly #order: Map<string, Order> = new Map();
  readonly #sinks: readonly string[];
  readonly #capacity: number;

  /** For at most `capacity` records and the sinks named. */
  constructor(sinks: readonly string[], capacity: number) {
    this.#sinks = sinks;
    this.#capacity = capacity;
    for (const sink of sinks) {
      this.#stored.set(sink, new Uint8Array(capacity));
      this.#dead.set(sink, new Uint8Array(capacity));
    }
  }

  /** Records written down. */
  get records(): number {
    return this.#requestOf.length;
  }

  /** Whether `n` more records fit. */
  hasRoom(n: number): boolean {
    return this.#requestOf.length + n <= this.#capacity;
  }

  /** Writes a request down whose records have these keys (empty for none). */
  enter(request: RequestEntry, keys: readonly string[]): void {
    for (const key of keys) {
      this.#requestOf.push(request);
      this.#keyOf.push(key);
    }
  }

  /** The key of a record, empty for none. */
  keyOf(record: number): string {
    return this.#keyOf[record];
  }

  /** The request of a record. */
  requestOf(record: number): RequestEntry {
    return this.#requestOf[record];
  }

  /**
   * `sink` stored the record. `lane` names what keeps order there: every record of it for `strict`, those with one key
   * for `key`, or null where nothing is promised.
   */
  stored(record: number, sink: string, stream: string, lane: string | null): void {
    const request = this.#checkTaken(record, stream, `sink ${sink} stored`);
    const stored = this.#stored.get(sink)!;
    if (stored[record] === 0 && lane !== null) this.#checkOrder(record, request, `${sink} ${stream} ${lane}`);
    stored[record] = 1;
  }

  /** A dead letter says that `sink` refused the record. */
  deadLettered(record: number, sink: string, stream: string): void {
    this.#checkTaken(record, stream, `a dead letter of sink ${sink} holds`);
    const dead = this.#dead.get(sink)!;
    dead[record] = 1;
  }

  /** The client was told that everything before `next` was consumed; returns how many records that are. */
  answered(request: RequestEntry, next: number): number {
    request.next = next;
    let consumed = 0;
    request.indexes.forEach((index, k) => {
      if (index < next) return consumed++;
      const record = request.firstRecord + k;
      const where = this.#sinks.find((sink) =>
        this.#stored.get(sink)![record] > 0 || this.#dead.get(sink)![record] > 0
      );
      assert(
        where === undefined,
        `record ${record} (index ${index}) is at sink ${where}, but next is ${next}: it was refused`,
      );
    });
    return consumed;
  }

  /** Of the request's records before `next`, how many `sink` has, and how many of them as dead letters. */
  settledAt(request: RequestEntry, sink: string): { settled: number; dead: number } {
    const stored = this.#stored.get(sink)!;
    const dead = this.#dead.get(sink)!;
    let settled = 0;
    let letters = 0;
    for (let k = 0; k < request.indexes.length; k++) {
      const record = request.firstRecord + k;
      if (stored[record] > 0 || dead[record] > 0) settled++;
      if (dead[record] > 0) letters++;
    }
    return { settled, dead: letters };
  }

  /** Records of `stream` that `sink` has, stored or as dead letters. */
  countAt(stream: string, sink: string): number {
    const stored = this.#stored.get(sink)!;
    const dead = this.#dead.get(sink)!;
    let n = 0;
    for (let record = 0; record < this.records; record++) {
      if (this.#requestOf[record].stream === stream && (stored[record] > 0 || dead[record] > 0)) n++;
    }
    return n;
  }

  #checkTaken(record: number, stream: string, who: string): RequestEntry {
    const request = this.#requestOf[record];
    assert(request !== undefined, `${who} record ${record}, which nobody sent`);
    assert(
      request.stream === stream,
      `${who} record ${record} of stream ${request.stream} as one of ${stream}`,
    );
    assert(
      request.next < 0 || request.indexes[record - request.firstRecord] < request.next,
      `${who} record ${record}, but the client was told that it was refused`,
    );
    return request;
  }

  #checkOrder(record: number, request: RequestEntry, lane: string): void {
    const index = record - request.firstRecord;
    const order = this.#order.get(lane);
    if (order === undefined) {
      this.#order.set(lane, { lastByteStep: request.lastByteStep, request: request.id, index });
      return;
    }
    assert(
      request.takenStep >= order.lastByteStep,
      `order of ${lane}: record ${record} was taken in step ${request.takenStep}, but is stored behind one ` +
        `whose last byte came in step ${order.lastByteStep}`,
    );
    assert(
      request.id !== order.request || index > order.index,
      `order of ${lane}: record ${record} of request ${request.id} is stored behind a later one`,
    );
    order.lastByteStep = Math.max(order.lastByteStep, request.lastByteStep);
    order.request = request.id;
    order.index = index;
  }
}
