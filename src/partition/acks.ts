/**
 * Acks are counted, not stored. A request holds one counter; a buffer holds a bounded list of spans, each saying "the
 * records up to this slot belong to that counter". Settling n records is one subtraction, whatever became of them.
 *
 * @module
 */
import { assert } from "../core/assert.ts";

/** Who waits for a counter. An object and not a function: most requests have one, and a closure would be one object more for each. */
export interface AckOwner {
  /** Everything expected is settled. Called once, from inside the settling call: it must not throw. */
  allSettled(): void;
}

/** Counts the deliveries that one request waits for: its records, times the sinks that its ack waits for. */
export class AckCounter {
  #open = 1; // the seal, so that a body still being read cannot be settled between two of its records
  #owner: AckOwner | null;
  /** Of the deliveries so far, those that ended in a dead letter. */
  deadLettered = 0;

  /** @param owner is told when the counter is sealed and nothing is open. */
  constructor(owner: AckOwner) {
    this.#owner = owner;
  }

  /** Deliveries still to come, and one for the seal. */
  get open(): number {
    return this.#open;
  }

  /** `deliveries` more are waited for. Called before they can be settled. */
  expect(deliveries: number): void {
    assert(this.#open > 0, "a counter is not extended after its end");
    this.#open += deliveries;
  }

  /** Nothing more will be expected. */
  seal(): void {
    this.settle(1);
  }

  /** `deliveries` were stored or dead-lettered. */
  settle(deliveries: number): void {
    this.#open -= deliveries;
    assert(this.#open >= 0, "no record is settled twice for one sink");
    if (this.#open === 0) {
      const owner = this.#owner;
      this.#owner = null;
      owner?.allSettled();
    }
  }

  /** Nobody waits any longer (the client is gone, or was told 504): settling goes on, the call is not made. */
  abandon(): void {
    this.#owner = null;
  }
}
