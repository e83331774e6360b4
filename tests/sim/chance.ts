/** Choices that a seed replays; each actor of a simulation has its own, so that one's choices do not change another's. @module */
import { seededRandom } from "../support/seeded_random.ts";

/** A source of choices. */
export class Chance {
  readonly #random: () => number;

  /** The choices of `actor` in the world of `seed`. */
  constructor(seed: number, actor: string) {
    let hash = seed | 0;
    for (let i = 0; i < actor.length; i++) hash = Math.imul(hash ^ actor.charCodeAt(i), 0x01000193);
    this.#random = seededRandom(hash);
  }

  /** From 0 up to, not including, 1. */
  readonly next = (): number => this.#random();

  /** A number between `from` and `to`. */
  between(from: number, to: number): number {
    return from + this.#random() * (to - from);
  }

  /** A whole number from `from` to `to`, both included. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.#random() * (to - from + 1));
  }

  /** True once in `1 / probability` times. */
  happens(probability: number): boolean {
    return this.#random() < probability;
  }

  /** One of `items`. */
  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)];
  }
}
