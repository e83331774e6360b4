/**
 * Whose turn it is among the lanes of one sink: deficit round robin (Shreedhar and Varghese, "Efficient Fair Queueing
 * using Deficit Round Robin", SIGCOMM 1995).
 *
 * Turns alone would give a lane of large batches more of the sink. So each visit adds weight × quantum to a lane's
 * deficit, the lane sends while its deficit covers its cost, and the rest is kept for the next visit.
 *
 * The paper fixes the quantum at the largest packet, which makes a visit cost O(1). Costs here are unknown before they
 * come, so the quantum of a round is the largest cost seen in the round before, for the largest weight: no lane sends
 * much more than one largest batch in a visit, and the shares of two lanes are never further apart than a batch or two.
 * A lane of little weight then needs many visits; when a round gives nobody a turn, the rounds that would not either are
 * added at once. So a turn costs two rounds at most, and O(1) with like weights.
 *
 * A sink may refuse at the moment of a turn (no tokens, no room). So a turn is in two steps: `peek` says who is next and
 * goes on saying so, and `commit` charges it.
 *
 * @module
 */
import { assert } from "../core/assert.ts";

interface Slot<T> {
  readonly entry: T;
  readonly weight: number;
  deficit: number;
  /** The last round that visited it; a round visits each once. */
  round: number;
  /** Neighbours in the ring of those that are active; null when it is not. */
  next: Slot<T> | null;
  previous: Slot<T> | null;
}

/** Entries that take turns by weight. Its maximum is its owner's: one slot per entry that was added. */
export class FairQueue<T> {
  readonly #slots: Map<T, Slot<T>> = new Map();
  #head: Slot<T> | null = null;
  #active = 0;
  #maxWeight = 0;
  #round = 0;
  #quantum = 0;
  /** Largest cost seen in this round. */
  #largestCost = 0;
  #turnInRound = false;
  /** The head was visited and may send on what is left of its deficit. */
  #visiting = false;
  #granted: Slot<T> | null = null;

  /** Entries that have something to send. */
  get active(): number {
    return this.#active;
  }

  /** Whether `test` holds for an entry, active or not. */
  some(test: (entry: T) => boolean): boolean {
    return this.#slots.keys().some(test);
  }

  /**
   * Adds an entry, inactive. Its share against the others is `weight`.
   * @throws {RangeError} the weight is not a number above 0: the entry would never get a turn.
   */
  add(entry: T, weight: number): void {
    if (!(weight > 0 && weight < Infinity)) {
      throw new RangeError(
        `Cannot share turns as a weight must be above 0 and finite: got ${weight}; use 1 for an equal share`,
      );
    }
    assert(!this.#slots.has(entry), "an entry takes turns under one weight");
    this.#slots.set(entry, { entry, weight, deficit: 0, round: 0, next: null, previous: null });
    this.#maxWeight = Math.max(this.#maxWeight, weight);
  }

  /** Forgets an entry; harmless for one that is not there. */
  remove(entry: T): void {
    const slot = this.#slots.get(entry);
    if (slot === undefined) return;
    this.#leave(slot);
    this.#slots.delete(entry);
    this.#maxWeight = 0;
    for (const { weight } of this.#slots.values()) this.#maxWeight = Math.max(this.#maxWeight, weight);
  }

  /** The entry has something to send: it joins behind the others, once. One that was removed gets no turn any more. */
  activate(entry: T): void {
    const slot = this.#slots.get(entry);
    if (slot === undefined || slot.next !== null) return;
    this.#active++;
    slot.round = this.#round; // else it would be visited in a round whose credit the others had before it came
    const head = this.#head;
    if (head === null) {
      this.#head = slot.next = slot.previous = slot;
      return;
    }
    slot.next = head;
    slot.previous = head.previous!;
    slot.previous.next = slot;
    head.previous = slot;
  }

  /** The entry has nothing to send, and loses what it saved up; what it overdrew stays owed. */
  deactivate(entry: T): void {
    const slot = this.#slots.get(entry);
    if (slot !== undefined) this.#leave(slot);
  }

  /**
   * The entry that may send now, or null when none is active. The same until `commit`, or until it leaves.
   * `cost` tells what an entry would send next, above 0, in any unit that all share.
   */
  peek(cost: (entry: T) => number): T | null {
    if (this.#granted !== null) return this.#granted.entry;
    while (this.#head !== null) {
      const slot = this.#head;
      const price = cost(slot.entry);
      assert(price > 0 && price < Infinity, "a turn costs more than nothing, and not everything");
      if (!this.#visiting) this.#visit(slot, price, cost);
      this.#largestCost = Math.max(this.#largestCost, price);
      if (price <= slot.deficit) {
        this.#turnInRound = true;
        this.#granted = slot;
        return slot.entry;
      }
      this.#visiting = false;
      this.#head = slot.next;
    }
    return null;
  }

  /** The entry that `peek` gave sends, and is charged what that really cost. */
  commit(actualCost: number): void {
    const slot = this.#granted;
    assert(slot !== null, "a turn is given before it is charged");
    assert(actualCost > 0 && actualCost < Infinity, "a turn costs more than nothing, and not everything");
    slot.deficit -= actualCost;
    this.#largestCost = Math.max(this.#largestCost, actualCost);
    this.#granted = null;
  }

  /** The head's visit in this round; in a new round, if this one has visited it. */
  #visit(slot: Slot<T>, price: number, cost: (entry: T) => number): void {
    if (slot.round === this.#round) this.#newRound(price, cost);
    slot.round = this.#round;
    slot.deficit += this.#quantum * slot.weight;
    this.#visiting = true;
  }

  #newRound(price: number, cost: (entry: T) => number): void {
    this.#quantum = Math.max(this.#largestCost, price) / this.#maxWeight;
    if (!this.#turnInRound) this.#skipRounds(cost);
    this.#largestCost = 0;
    this.#turnInRound = false;
    this.#round++;
  }

  /** Adds the rounds before the first in which somebody can send. */
  #skipRounds(cost: (entry: T) => number): void {
    let rounds = Infinity;
    const quantum = this.#quantum;
    let slot = this.#head!;
    for (let left = this.#active; left > 0; left--, slot = slot.next!) {
      rounds = Math.min(rounds, Math.ceil((cost(slot.entry) - slot.deficit) / (quantum * slot.weight)) - 1);
    }
    if (rounds < 1) return;
    for (let left = this.#active; left > 0; left--, slot = slot.next!) {
      slot.deficit += rounds * quantum * slot.weight;
    }
  }

  #leave(slot: Slot<T>): void {
    if (slot.next === null) return;
    this.#active--;
    assert(this.#active >= 0, "an entry is in the ring once");
    slot.deficit = Math.min(0, slot.deficit);
    if (this.#granted === slot) this.#granted = null;
    if (this.#head === slot) {
      this.#visiting = false;
      this.#head = this.#active === 0 ? null : slot.next;
    }
    slot.previous!.next = slot.next;
    slot.next.previous = slot.previous;
    slot.next = slot.previous = null;
  }
}
