/**
 * Bodies that wait for a segment, the oldest first: in the order in which they came to the gateway and not in which they
 * began to wait, or a body that was let in and ran out again would be behind those that came after it.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";
import type { AdmittedBody } from "./arrivals.ts";

interface Waiting {
  readonly body: AdmittedBody;
  /** What it wanted to bring when it began to wait. */
  readonly bytes: number;
  timer: Timer;
}

/** The queue; admission bounds it by `maxWaiters`. */
export class WaitingBodies implements Iterable<AdmittedBody> {
  readonly #clock: Clock;
  readonly #onLate: (body: AdmittedBody) => void;
  readonly #queue: Waiting[] = [];
  #bytes = 0;

  /** `onLate` is told of a body whose wait was over; it waits no longer. */
  constructor(clock: Clock, onLate: (body: AdmittedBody) => void) {
    this.#clock = clock;
    this.#onLate = onLate;
  }

  /** The oldest; null when nobody waits. */
  get first(): AdmittedBody | null {
    return this.#queue.length === 0 ? null : this.#queue[0].body;
  }

  /** How many there are. */
  get count(): number {
    return this.#queue.length;
  }

  /** What they wanted to bring when they began to wait, together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Those that wait now, oldest first; they may leave meanwhile. */
  [Symbol.iterator](): IterableIterator<AdmittedBody> {
    return this.#queue.map(({ body }) => body).values();
  }

  /** Whether `body` waits. */
  has(body: AdmittedBody): boolean {
    return this.#queue.some((waiting) => waiting.body === body);
  }

  /** Lets `body`, which does not wait, do so for at most `maxMs`. */
  add(body: AdmittedBody, maxMs: number): void {
    let at = this.#queue.length;
    while (at > 0 && this.#queue[at - 1].body.age > body.age) at--;
    const bytes = body.expectedBytes;
    this.#bytes += bytes;
    this.#queue.splice(at, 0, { body, bytes, timer: this.#lateAfter(body, maxMs) });
  }

  /** The wait of `body` begins anew, if it waits. */
  extend(body: AdmittedBody, maxMs: number): void {
    const waiting = this.#queue.find((waiting) => waiting.body === body);
    if (waiting === undefined) return;
    waiting.timer.cancel();
    waiting.timer = this.#lateAfter(body, maxMs);
  }

  /** `body` waits no longer; harmless when it does not. */
  leave(body: AdmittedBody): void {
    const at = this.#queue.findIndex((waiting) => waiting.body === body);
    if (at < 0) return;
    const [{ bytes, timer }] = this.#queue.splice(at, 1);
    this.#bytes -= bytes;
    timer.cancel();
  }

  #lateAfter(body: AdmittedBody, maxMs: number): Timer {
    return this.#clock.setTimer(() => {
      this.leave(body);
      this.#onLate(body);
    }, maxMs);
  }
}
