/**
 * The one bit that producers look at, and who is told when it turns on: by a promise, which comes a turn later, or by
 * a call, which comes as soon as all pools have finished changing.
 *
 * A listener's own doings do not call it again while it runs. One that takes a segment, finds that it needs two, and
 * gives it back, would otherwise call itself for ever.
 *
 * @module
 */
import { SharedWait } from "./shared_wait.ts";
import type { Turn } from "./turn.ts";

/** Whether a pool is available. It begins as not available, and ends with `destroy`. */
export class PoolAvailability {
  readonly #turn: Turn;
  readonly #waiting = new SharedWait();
  readonly #calls = new Set<() => void>();
  /** Those that are owed a call, or are running. */
  readonly #busy = new Set<() => void>();
  #available = false;
  #ended: Error | null = null;

  /** Calls are made by `turn`. */
  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** The bit. */
  get isAvailable(): boolean {
    return this.#available;
  }

  /** Sets the bit. When that turns it on, whoever waits is told. */
  update(available: boolean): void {
    if (available === this.#available) return;
    this.#available = available;
    if (!available) return;
    this.#waiting.resolve();
    for (const call of this.#calls) {
      if (this.#busy.has(call)) continue;
      this.#busy.add(call);
      this.#turn.later(call);
    }
  }

  /** Resolves when the bit is on; rejects with the error of `destroy`. */
  promise(): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    return this.#available ? Promise.resolve() : this.#waiting.promise();
  }

  /** Calls `run` each time that the bit turns on; returns what removes `run`. */
  addListener(run: () => void): () => void {
    const call = (): void => {
      try {
        if (this.#calls.has(call)) run();
      } finally {
        this.#busy.delete(call);
      }
    };
    this.#calls.add(call);
    return () => void this.#calls.delete(call);
  }

  /** Turns the bit off for good; whoever waits on the promise gets `error`. */
  destroy(error: Error): void {
    this.#available = false;
    this.#ended = error;
    this.#waiting.reject(error);
    this.#calls.clear();
  }
}
