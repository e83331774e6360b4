/**
 * Tells why a producer was fenced. Brokers answer the same whether they aborted a transaction that was open for too long
 * or another gateway took the id. The first is over with a new start. The second is not: two that take the id from each
 * other forever would abort each other's transactions, so the one that is fenced twice gives way, and says so.
 *
 * @module
 */
import type { Clock } from "../../src/core/clock.ts";

/** Longer than a gateway that is replaced takes to drain, so that the handing over of an id is no quarrel about it. */
const QUARREL_MS = 300_000;

/** The fences that one transactional id ran into. */
export class FenceWatch {
  readonly #clock: Clock;
  readonly #transactionalId: string;
  readonly #timeoutMs: number;
  #lastMs = -Infinity;
  #verdict: string | null = null;

  /** @param timeoutMs how long brokers let a transaction be open */
  constructor(clock: Clock, transactionalId: string, timeoutMs: number) {
    this.#clock = clock;
    this.#transactionalId = transactionalId;
    this.#timeoutMs = timeoutMs;
  }

  /** Why the id is not to be taken again; null while it may be. */
  get verdict(): string | null {
    return this.#verdict;
  }

  /** The producer was fenced in a transaction that it began at `begunMs` of the clock. */
  fenced(begunMs: number): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - begunMs >= this.#timeoutMs) return;
    if (nowMs - this.#lastMs < QUARREL_MS) {
      this.#verdict =
        `another gateway writes with the transactional id ${this.#transactionalId}; stop it and ` +
        "restart this one, or reload this one with another transactionalId";
    }
    this.#lastMs = nowMs;
  }
}
