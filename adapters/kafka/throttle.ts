/** How long brokers want to hear nothing of a writer: they tell it with each answer, and it holds for all its writes. @module */
import { type Clock, sleep } from "../../src/core/clock.ts";

/** The throttle of one writer. */
export class Throttle {
  readonly #clock: Clock;
  #untilMs = -Infinity;

  /** None yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A broker wants to hear nothing for `delayMs`; the longest wait counts. */
  asked(delayMs: number): void {
    if (delayMs > 0) this.#untilMs = Math.max(this.#untilMs, this.#clock.nowMs() + delayMs);
  }

  /** For how long still, ms. */
  get leftMs(): number {
    return Math.max(0, this.#untilMs - this.#clock.nowMs());
  }

  /** Resolves when it is over; rejects with the reason of `signal` as soon as that is aborted. */
  async over(signal: AbortSignal): Promise<void> {
    if (this.leftMs > 0) await sleep(this.#clock, this.leftMs, signal);
  }
}
