/** Checks a static limit from outside: no window of write starts exceeds rate × t + burst. @module */
import { assert } from "@std/assert";
import type { LimitConfig } from "../../src/config.ts";

class Watch {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #unit: string;
  /** Largest excess over `rate × t` of any window that ends now. */
  #excess = 0;
  #atMs = -Infinity;

  constructor(perSecond: number, burst: number, unit: string) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#unit = unit;
  }

  start(n: number, nowMs: number, sink: string): void {
    this.#excess = Math.max(0, this.#excess - (nowMs - this.#atMs) * this.#perMs) + n;
    this.#atMs = nowMs;
    assert(
      this.#excess <= this.#burst + 1e-6 * this.#burst + 1e-6,
      `limit of ${sink}: a window of writes holds ${this.#excess} ${this.#unit} above its rate, burst ${this.#burst}`,
    );
  }
}

/** The limit of one sink; a changed limit is watched anew. */
export class BucketWatch {
  readonly #sink: string;
  #records: Watch | null = null;
  #bytes: Watch | null = null;

  /** Of `sink`, from now on. */
  constructor(sink: string, limit: LimitConfig | null) {
    this.#sink = sink;
    this.change(limit);
  }

  /** Another limit holds from now on. */
  change(limit: LimitConfig | null): void {
    this.#records = limit?.recordsPerSecond
      ? new Watch(limit.recordsPerSecond, limit.burstRecords!, "records")
      : null;
    this.#bytes = limit?.bytesPerSecond ? new Watch(limit.bytesPerSecond, limit.burstBytes!, "bytes") : null;
  }

  /** A write of so much starts. */
  start(records: number, bytes: number, nowMs: number): void {
    this.#records?.start(records, nowMs, this.#sink);
    this.#bytes?.start(bytes, nowMs, this.#sink);
  }
}
