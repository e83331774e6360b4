/**
 * Floating credits: a shared top-up over the credits that each lane always has, lent where there is backlog.
 *
 * In one process a credit is a permit and takes no memory: the segment stays charged to its stream until the last lane
 * has settled it. So the pool is a bounded counter. Whoever finds it empty waits in line and is given one permit at a
 * time, so two hungry lanes are never more than one apart (Flink's `BufferListener`, FLINK-9676).
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { Ring } from "../core/ring.ts";

/** Where a lane gets credit beyond its own. */
export interface FloatingSource {
  /** Permits there are in all, lent or not; a whole number. */
  readonly totalPermits: number;
  /** Takes one permit; false when there is none, or others wait for it. */
  tryTake(): boolean;
  /** Returns one permit. It goes to the first listener that accepts it, perhaps before this call returns. */
  giveBack(): void;
  /** Waits for one permit. False, and nothing happens, when `tryTake` would succeed now. */
  addListener(listener: PermitListener): boolean;
  /** Waits no longer; harmless for one that does not wait. */
  removeListener(listener: PermitListener): void;
}

/** Is offered one permit and leaves the line; true takes it, false leaves it to the next. It may take and return others. */
export type PermitListener = () => boolean;

/** A bounded number of permits. The line is as long as the lanes that share the pool: each waits at most once. */
export class PermitPool implements FloatingSource {
  readonly totalPermits: number;
  #free: number;
  #offering = false;
  readonly #listeners = new Ring<PermitListener>();

  /** A pool of `totalPermits`; 0 is a pool that never lends. */
  constructor(totalPermits: number) {
    assert(
      Number.isInteger(totalPermits) && totalPermits >= 0,
      `permits are a whole number of 0 or more, not ${totalPermits}`,
    );
    this.totalPermits = totalPermits;
    this.#free = totalPermits;
  }

  /** Permits that nobody has. */
  get freePermits(): number {
    return this.#free;
  }

  /** Permits taken and not returned. */
  get lentPermits(): number {
    return this.totalPermits - this.#free;
  }

  /** Who waits. */
  get waiting(): number {
    return this.#listeners.length;
  }

  tryTake(): boolean {
    if (this.#free === 0 || this.#listeners.length > 0) return false;
    this.#free--;
    return true;
  }

  giveBack(): void {
    assert(this.#free < this.totalPermits, "a permit is not given back twice");
    this.#free++;
    // A listener may give back again, through the whole channel: that permit is offered by the loop below it on the stack.
    if (!this.#offering) this.#offer();
  }

  addListener(listener: PermitListener): boolean {
    if (this.#free > 0 && this.#listeners.length === 0) return false;
    assert(!this.#listeners.includes(listener), "a listener waits for one permit at a time");
    this.#listeners.push(listener);
    return true;
  }

  removeListener(listener: PermitListener): void {
    this.#listeners.remove(listener);
  }

  #offer(): void {
    this.#offering = true;
    try {
      while (this.#free > 0 && this.#listeners.length > 0) {
        const listener = this.#listeners.shift();
        this.#free--;
        if (!listener()) this.#free++;
      }
    } finally {
      this.#offering = false;
    }
  }
}
