/**
 * The credits of one lane at its receiver.
 *
 * *Exclusive* credits are the lane's own for good. *Floating* ones come from a shared source while the sender has
 * backlog. The lane wants `required = backlog + exclusive` unused: what waits over there, and one round more. Floating
 * credit is used up first and goes back when it is not required, so a burst borrows and never keeps (Flink's
 * `BufferManager`).
 *
 * Invariant: credits at the sender + credits and data under way + `unannounced` = `available`.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import type { FloatingSource } from "./permit_pool.ts";

/** Credits of one lane, for people and for tests. Shows what is now, not what was when it was asked for. */
export interface ReceiverLaneCredits {
  /** Exclusive credits that no buffer uses. */
  readonly exclusive: number;
  /** Floating credits that the lane has and no buffer uses. */
  readonly floating: number;
  /** Both. */
  readonly available: number;
  /** Buffers received and not settled. */
  readonly inUse: number;
  /** Unused credits that the lane wants to have. */
  readonly required: number;
  /** Of those unused, what the sender was not told yet. */
  readonly unannounced: number;
  /** Whether the lane stands in line for a floating credit. */
  readonly waiting: boolean;
}

/** Counts what the lane's sender may send. */
export class LaneCredits implements ReceiverLaneCredits {
  exclusive: number;
  floating = 0;
  required: number;
  unannounced = 0;
  waiting = false;
  readonly #initial: number;
  readonly #source: FloatingSource;
  readonly #creditWaiting: () => void;
  #exclusiveInUse = 0;
  #floatingInUse = 0;

  /** `creditWaiting` is called when `unannounced` becomes more than 0; it may call `announce` at once. */
  constructor(exclusive: number, source: FloatingSource, creditWaiting: () => void) {
    this.exclusive = exclusive;
    this.required = exclusive;
    this.#initial = exclusive;
    this.#source = source;
    this.#creditWaiting = creditWaiting;
  }

  get available(): number {
    return this.exclusive + this.floating;
  }

  get inUse(): number {
    return this.#exclusiveInUse + this.#floatingInUse;
  }

  /** A buffer arrived and uses a credit. False when the sender was told of none that is left. */
  use(): boolean {
    if (this.available === this.unannounced) return false;
    if (this.floating > 0) {
      this.floating--;
      this.#floatingInUse++;
    } else {
      this.exclusive--;
      this.#exclusiveInUse++;
    }
    return true;
  }

  /** `backlog` buffers wait at the sender. Replaces what was required; what is held beyond it stays until it is settled. */
  require(backlog: number): void {
    this.required = backlog + this.#initial;
    this.#grant(this.#takeFloating());
  }

  /** A buffer was settled. */
  settle(): void {
    if (this.#floatingInUse > 0) {
      this.#floatingInUse--;
      this.#source.giveBack();
      return;
    }
    assert(this.#exclusiveInUse > 0, "a lane settles only what it received");
    this.#exclusiveInUse--;
    this.exclusive++;
    if (this.available > this.required && this.floating > 0) {
      // The sender knows of the floating credit; what it knows of is the exclusive one from now on.
      this.floating--;
      this.#source.giveBack();
    } else {
      this.#grant(1);
    }
  }

  /** What the sender is to be told; from here on it is on its way. */
  announce(): number {
    const delta = this.unannounced;
    this.unannounced = 0;
    return delta;
  }

  /** Waits for no more, and gives back what floats, used or not. */
  close(): void {
    this.#source.removeListener(this.#onPermit);
    this.waiting = false;
    const lent = this.floating + this.#floatingInUse;
    this.floating = 0;
    this.#floatingInUse = 0;
    for (let left = lent; left > 0; left--) this.#source.giveBack();
  }

  /** Takes what is required, or stands in line for it; returns how many there were. */
  #takeFloating(): number {
    let taken = 0;
    while (this.available < this.required && !this.waiting) {
      if (this.#source.tryTake()) {
        this.floating++;
        taken++;
      } else {
        this.waiting = this.#source.addListener(this.#onPermit);
      }
    }
    return taken;
  }

  readonly #onPermit = (): boolean => {
    this.waiting = false;
    if (this.available >= this.required) return false;
    this.floating++;
    this.#grant(1 + this.#takeFloating());
    return true;
  };

  #grant(delta: number): void {
    if (delta === 0) return;
    this.unannounced += delta;
    if (this.unannounced === delta) this.#creditWaiting();
  }
}
