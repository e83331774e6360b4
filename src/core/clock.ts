/**
 * Time comes through a constructor, so that the simulation can run hours in milliseconds and a failure replays.
 *
 * Two readings, because they answer different questions: `nowMs` never jumps and measures spans; `wallMs` is
 * what stands in records and logs.
 *
 * @module
 */

/** What a stage may ask of time. Every stage takes one; {@linkcode systemClock} is the real one. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. For spans, deadlines and rates. */
  nowMs(): number;
  /** Milliseconds since 1970. For what people and sinks read. */
  wallMs(): number;
  /** Calls `run` once, after at least `delayMs`. */
  setTimer(run: () => void, delayMs: number): Timer;
  /** Calls `run` when the current turn of the event loop has handed over all that it had: socket reads are batched by it. */
  defer(run: () => void): void;
}

/** A timer that has not fired; `cancel` is harmless when it has. */
export interface Timer {
  /** Forgets the call. */
  cancel(): void;
}

class SystemTimer implements Timer {
  readonly #handle: ReturnType<typeof setTimeout>;
  constructor(run: () => void, delayMs: number) {
    // Whole milliseconds, upwards: a fraction would be cut off, and the timer be early.
    this.#handle = setTimeout(run, Math.ceil(delayMs));
  }
  cancel(): void {
    clearTimeout(this.#handle);
  }
}

// One turn of the event loop is one moment, as in libuv: a turn may handle a thousand requests, and reading the clock
// several times for each showed in the profile. The moment ends with the turn's microtasks.
let turnMs = -1;
let turnWallMs = -1;

function newTurn(): void {
  turnMs = performance.now();
  turnWallMs = Date.now();
  queueMicrotask(endTurn);
}

function endTurn(): void {
  turnMs = -1;
}

/** The machine's own clocks and timers. Both clocks stand still within one turn of the event loop. */
export const systemClock: Clock = {
  nowMs: () => {
    if (turnMs < 0) newTurn();
    return turnMs;
  },
  wallMs: () => {
    if (turnMs < 0) newTurn();
    return turnWallMs;
  },
  setTimer: (run, delayMs) => new SystemTimer(run, delayMs),
  defer: (run) => queueMicrotask(run),
};

/** Resolves after `delayMs` of `clock`, or rejects with the signal's reason as soon as it is aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) {
    reject(signal.reason);
    return promise;
  }
  const timer = clock.setTimer(() => {
    signal?.removeEventListener("abort", onAbort);
    resolve();
  }, delayMs);
  const onAbort = () => {
    timer.cancel();
    reject(signal!.reason);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise;
}

/** Rejects with the signal's reason when it is aborted. */
export function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
