/**
 * Sockets and partitions that wait for tokens of the stream's quota. They are told one after the other, in the order in
 * which they began to wait, until one has used the tokens up.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";
import type { PausedReader } from "./arrivals.ts";

/** Longest until they look again, ms: the quota may be another one by then. */
const MAX_LOOK_MS = 1_000;

/** Those that wait; as many as there are connections. */
export class QuotaReaders {
  readonly #clock: Clock;
  readonly #readers: Set<PausedReader> = new Set();
  #timer: Timer | null = null;

  /** Nobody waits at first. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `reader` is told by `quotaOpened` when there may be the tokens that it needs, in `waitMs` as far as is known. */
  add(reader: PausedReader, waitMs: number): void {
    this.#readers.add(reader);
    // One timer for all: those behind the first are asked again when it is due.
    this.#timer ??= this.#clock.setTimer(() => this.#open(), Math.max(1, Math.min(waitMs, MAX_LOOK_MS)));
  }

  /** `reader` waits no longer; harmless when it does not. */
  leave(reader: PausedReader): void {
    this.#readers.delete(reader);
  }

  #open(): void {
    this.#timer = null;
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const reader of readers) {
      // Once it is used up again the others wait on, in their order.
      if (this.#timer === null) reader.quotaOpened();
      else this.#readers.add(reader);
    }
  }
}
