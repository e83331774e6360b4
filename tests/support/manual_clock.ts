/** Time that only moves when a test moves it; timers run in order of their due time, then of their setting. @module */
import type { Clock, Timer } from "../../src/core/clock.ts";

interface Pending extends Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A {@linkcode Clock} under the test's hand. */
export class ManualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #pending = new Set<Pending>();
  /** Wall time at `nowMs() === 0`. */
  readonly originMs: number;

  /** Starts at `startMs`; the wall clock reads `originMs` more. */
  constructor(startMs = 0, originMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.originMs = originMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.originMs + Math.floor(this.#nowMs);
  }

  setTimer(run: () => void, delayMs: number): Timer {
    const entry: Pending = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      run,
      cancel: () => void this.#pending.delete(entry),
    };
    this.#pending.add(entry);
    return entry;
  }

  defer(run: () => void): void {
    queueMicrotask(run);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#pending.size;
  }

  /** When the next timer is due, or Infinity. */
  get nextDueMs(): number {
    return this.#next()?.dueMs ?? Infinity;
  }

  /** Moves time on without letting promises run in between; timers that come due are run. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    for (let next = this.#next(); next && next.dueMs <= until; next = this.#next()) this.#fire(next);
    this.#nowMs = until;
  }

  /** Moves time on, and lets every promise settle after each timer. */
  async run(ms: number): Promise<void> {
    const until = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(); next && next.dueMs <= until; next = this.#next()) {
      this.#fire(next);
      await settle();
    }
    this.#nowMs = until;
    await settle();
  }

  #next(): Pending | undefined {
    let best: Pending | undefined;
    for (const entry of this.#pending) {
      if (!best || entry.dueMs < best.dueMs || (entry.dueMs === best.dueMs && entry.order < best.order)) {
        best = entry;
      }
    }
    return best;
  }

  #fire(entry: Pending): void {
    this.#pending.delete(entry);
    this.#nowMs = Math.max(this.#nowMs, entry.dueMs);
    entry.run();
  }
}

/** Lets every microtask run: a turn of the event loop without a timer. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
