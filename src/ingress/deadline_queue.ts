/**
 * Deadlines of many requests with one wait: the queue is in order by itself, so one timer serves thousands.
 *
 * The answers of requests are its links. A list of their own would be one object more per request; an array would keep
 * every request behind one that is stuck for as long as that one is.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";

/** One that may be late. */
export interface Dated {
  /** When its time is over; set by the queue. */
  dueMs: number;
  /** The one that is due before; set by the queue. */
  previous: Dated | null;
  /** The one that is due after; set by the queue. */
  next: Dated | null;
  /** Its time is over; it is not in the queue any more. */
  late(): void;
}

/** The queue. Holds at most the requests that wait for delivery, which the connections bound. */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #waitMs: number;
  #first: Dated | null = null;
  #last: Dated | null = null;
  #timer: Timer | null = null;

  /** Every item added is late after `waitMs`. */
  constructor(clock: Clock, waitMs: number) {
    this.#clock = clock;
    this.#waitMs = waitMs;
  }

  /** Watches `item` from now. */
  add(item: Dated): void {
    item.dueMs = this.#clock.nowMs() + this.#waitMs;
    item.previous = this.#last;
    if (this.#last === null) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
    this.#timer ??= this.#clock.setTimer(() => this.#ring(), this.#waitMs);
  }

  /** Forgets `item`; harmless when it is not watched. */
  remove(item: Dated): void {
    if (item.previous === null && this.#first !== item) return;
    if (item.previous === null) this.#first = item.next;
    else item.previous.next = item.next;
    if (item.next === null) this.#last = item.previous;
    else item.next.previous = item.previous;
    item.previous = null;
    item.next = null;
  }

  /** Forgets all. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#first = null;
    this.#last = null;
  }

  /** The timer is left running when the queue runs empty: it rings once in `waitMs`, where setting it anew would be per request. */
  #ring(): void {
    this.#timer = null;
    const now = this.#clock.nowMs();
    for (let item = this.#first; item !== null && item.dueMs <= now; item = this.#first) {
      this.remove(item);
      item.late();
    }
    if (this.#first !== null) this.#timer = this.#clock.setTimer(() => this.#ring(), this.#first.dueMs - now);
  }
}
