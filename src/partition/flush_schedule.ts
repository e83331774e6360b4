/**
 * When an open buffer is flushed that nothing else cuts: at the end of the turn for a lane that has nothing to do, or
 * after `FLUSH_MS`. The end of the turn, and not at once, because one turn of the event loop hands over up to a
 * thousand requests, which are one buffer then.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";

/** How long a buffer that a busy lane could not take yet stays open for more records. Flink's default of 100 ms is for throughput across machines; here a millisecond already fills a segment. */
export const FLUSH_MS = 1;

/** At most one flush that is due at the end of the turn, and one timer. */
export class FlushSchedule {
  readonly #clock: Clock;
  readonly #flush: () => void;
  #timer: Timer | null = null;
  #deferred = false;

  /** `flush` is called when it is time. */
  constructor(clock: Clock, flush: () => void) {
    this.#clock = clock;
    this.#flush = flush;
  }

  /** Something is open; `idle` says whether a lane has nothing else to do. */
  arm(idle: boolean): void {
    if (this.#deferred) return;
    if (idle) {
      this.#deferred = true;
      this.#clock.defer(this.#endOfTurn);
    } else {
      this.#timer ??= this.#clock.setTimer(this.#flush, FLUSH_MS);
    }
  }

  /** It was flushed. What is due at the end of the turn stays so: it would find nothing, or what came since. */
  flushed(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  readonly #endOfTurn = (): void => {
    this.#deferred = false;
    this.#flush();
  };
}
