/**
 * A queue that allocates only when it grows. `Array.shift()` moves a long array with every call, and gives up the
 * memory of a short one that runs empty; queues here run empty and full thousands of times a second.
 *
 * @module
 */
import { assert } from "./assert.ts";

/** Places of a new ring, a power of two: more than most lanes ever queue. */
const FIRST_CAPACITY = 16;

/** First in, first out. Its maximum is its owner's. */
export class Ring<T> {
  #places: (T | null)[] = new Array(FIRST_CAPACITY).fill(null);
  #head = 0;
  #length = 0;

  /** Items queued. */
  get length(): number {
    return this.#length;
  }

  /** The item `index` places behind the first. */
  at(index: number): T {
    assert(index >= 0 && index < this.#length, "what is read from a ring is queued");
    return this.#places[(this.#head + index) & (this.#places.length - 1)] as T;
  }

  /** Queues `item` behind the others. */
  push(item: T): void {
    if (this.#length === this.#places.length) this.#grow();
    this.#places[(this.#head + this.#length) & (this.#places.length - 1)] = item;
    this.#length++;
  }

  /** Takes the first item. */
  shift(): T {
    const item = this.at(0);
    this.#places[this.#head] = null; // else the ring would keep alive what its taker lets go of
    this.#head = (this.#head + 1) & (this.#places.length - 1);
    this.#length--;
    return item;
  }

  /** Whether `item` is queued. */
  includes(item: T): boolean {
    for (let index = 0; index < this.#length; index++) if (this.at(index) === item) return true;
    return false;
  }

  /** Takes out every occurrence of `item`; the others keep their order. */
  remove(item: T): void {
    for (let left = this.#length; left > 0; left--) {
      const first = this.shift();
      if (first !== item) this.push(first);
    }
  }

  #grow(): void {
    const places: (T | null)[] = new Array(this.#places.length * 2).fill(null);
    for (let index = 0; index < this.#length; index++) places[index] = this.at(index);
    this.#places = places;
    this.#head = 0;
  }
}
