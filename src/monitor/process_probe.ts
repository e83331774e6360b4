/**
 * What the process itself costs. Event loop lag is measured with a timer of our own: Deno's
 * `monitorEventLoopDelay` reports microseconds however long the loop is blocked.
 *
 * @module
 */
import process from "node:process";
import type { Clock, Timer } from "../core/clock.ts";

/** The process at one moment. */
export interface ProcessSnapshot {
  /** Memory that the system counts for it. */
  readonly residentBytes: number;
  /** Seconds of processor time since its start, in user and system mode. */
  readonly cpuSeconds: number;
  /** Longest that a due timer had to wait, over the last minute, in seconds. */
  readonly eventLoopLagSeconds: number;
}

/** Often enough to meet a block of a second, rare enough to cost nothing. */
const PROBE_MS = 500;
/** Longer than common scrape intervals, so that no scrape misses a block, however many scrapers there are. */
const WINDOW_PROBES = 120;

/** Watches the process until it is disposed. */
export class ProcessProbe implements Disposable {
  readonly #clock: Clock;
  readonly #lagsMs = new Float64Array(WINDOW_PROBES);
  #probes = 0;
  #timer: Timer;

  /** Starts to measure. The timer keeps an event loop alive until {@linkcode ProcessProbe.stop}. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = this.#arm();
  }

  /** Reads the process. */
  snapshot(): ProcessSnapshot {
    const cpu = process.cpuUsage();
    return {
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      eventLoopLagSeconds: Math.max(...this.#lagsMs) / 1000,
    };
  }

  /** Ends the measuring; twice is harmless. */
  stop(): void {
    this.#timer.cancel();
  }

  /** As {@linkcode ProcessProbe.stop}. */
  [Symbol.dispose](): void {
    this.stop();
  }

  #arm(): Timer {
    const dueMs = this.#clock.nowMs() + PROBE_MS;
    return this.#clock.setTimer(() => {
      this.#lagsMs[this.#probes++ % WINDOW_PROBES] = Math.max(0, this.#clock.nowMs() - dueMs);
      this.#timer = this.#arm();
    }, PROBE_MS);
  }
}
