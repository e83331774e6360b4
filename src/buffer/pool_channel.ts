/**
 * One consumer's account with the pool: how many buffers it has not let go of.
 *
 * Its limit is soft. A consumer that reaches it makes the whole pool unavailable, so that the producer stops between
 * two records, but the record in hand is finished (Flink's `maxBuffersPerChannel`, FLINK-16645).
 *
 * @module
 */
import { assert } from "../core/assert.ts";

/** Counts the buffers of one consumer. */
export class PoolChannel {
  readonly #onFullChange: (change: 1 | -1) => void;
  #maxBuffers: number;
  #held = 0;

  /** `onFullChange` hears 1 when the account becomes full and -1 when it is no longer. */
  constructor(maxBuffers: number, onFullChange: (change: 1 | -1) => void) {
    this.#maxBuffers = maxBuffers;
    this.#onFullChange = onFullChange;
  }

  /** Buffers charged and not discharged. */
  get held(): number {
    return this.#held;
  }

  /** Whether the limit is reached. */
  get full(): boolean {
    return this.#held >= this.#maxBuffers;
  }

  /** One buffer more; allowed beyond the limit. */
  charge(): void {
    this.#held++;
    if (this.#held === this.#maxBuffers) this.#onFullChange(1);
  }

  /** One buffer less. */
  discharge(): void {
    assert(this.#held > 0, "a channel is discharged of what it was charged with");
    if (this.#held-- === this.#maxBuffers) this.#onFullChange(-1);
  }

  /** Lifts the limit; what is held may still be discharged. Closing twice is harmless. */
  close(): void {
    const wasFull = this.full;
    this.#maxBuffers = Infinity;
    if (wasFull) this.#onFullChange(-1);
  }
}
