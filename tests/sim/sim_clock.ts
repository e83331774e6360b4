/**
 * Time of a simulation: an event is the next timer, and what it put off to the end of its turn. Timers lie in a heap,
 * because a run sets millions of them.
 *
 * @module
 */
import type { Clock, Timer } from "../../src/core/clock.ts";

class Entry implements Timer {
  readonly dueMs: number;
  readonly order: number;
  run: (() => void) | null;

  constructor(dueMs: number, order: number, run: () => void) {
    this.dueMs = dueMs;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    this.run = null;
  }

  isBefore(other: Entry): boolean {
    return this.dueMs < other.dueMs || (this.dueMs === other.dueMs && this.order < other.order);
  }
}

/** A clock that only {@linkcode SimClock.step} moves. */
export class SimClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #heap: Entry[] = [];
  readonly #deferred: (() => void)[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + Math.floor(this.#nowMs);
  }

  setTimer(run: () => void, delayMs: number): Timer {
    const entry = new Entry(this.#nowMs + Math.max(0, delayMs), this.#order++, run);
    this.#push(entry);
    return entry;
  }

  defer(run: () => void): void {
    this.#deferred.push(run);
  }

  /** Runs the next timer; false when there is none before `untilMs`. The turn is ended by `endTurn`. */
  step(untilMs = Infinity): boolean {
    for (let first = this.#heap[0]; first; first = this.#heap[0]) {
      if (first.dueMs > untilMs) break;
      this.#pop();
      const { run } = first;
      if (run === null) continue;
      this.#nowMs = first.dueMs;
      first.run = null;
      run();
      return true;
    }
    return false;
  }

  /** Runs what was put off to the end of the turn. */
  endTurn(): void {
    for (let k = 0; k < this.#deferred.length; k++) this.#deferred[k]();
    this.#deferred.length = 0;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!entry.isBefore(heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const length = heap.length;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && heap[child + 1].isBefore(heap[child])) child++;
      if (!heap[child].isBefore(last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}
