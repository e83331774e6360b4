/**
 * Acks are counted, not stored. A request holds one counter; a buffer holds a bounded list of spans, each saying "the
 * records up to this slot belong to that counter". Settling n records is one subtraction, whatever became of them.
 *
 * @module
 */
import { assert } from "../core/assert.ts";

/** Counts the deliveries that one request waits for: its records, times the sinks that its ack waits for. */
export class AckCounter {
  #open = 1; // the seal, so that a body still being read cannot be settled between two of its records
  #settled: (() => void) | null;
  /** Of the deliveries so far, those that ended in a dead letter. */
  deadLettered = 0;

  /** @param settled is called once, from inside the settling call, when the counter is sealed and nothing is open: it must not throw. */
  constructor(settled: () => void) {
    this.#settled = settled;
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
      const settled = this.#settled;
      this.#settled = null;
      settled?.();
    }
  }

  /** Nobody waits any longer (the client is gone, or was told 504): settling goes on, the call is not made. */
  abandon(): void {
    this.#settled = null;
  }
}
