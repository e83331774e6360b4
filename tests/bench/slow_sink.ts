/**
 * A sink as slow as it is told, as a user's own sink module: it takes `recordsPerSecond`, one write at a time, can be
 * stalled and let go again, and tells what it took. It is told over HTTP on `controlPort`, as it lives in another process:
 * `POST /stall`, `POST /resume`, `GET /` → {@linkcode SlowSinkReport}.
 *
 * @module
 */
import { createServer } from "node:http";
import { z } from "zod";
import { allAcked, type Batch, defineSink, type WriteResult } from "../../mod.ts";

/** Width of a slot of the intake's record: finer than the goals that are held against it. */
const SLOT_MS = 10;

const config = z.strictObject({
  recordsPerSecond: z.number().positive().describe("What the sink takes."),
  maxRecords: z.number().int().positive().default(1).describe("Records per write."),
  controlPort: z.number().int().describe("Port of 127.0.0.1 on which it is told what to do."),
});

/** What the sink took. */
export interface SlowSinkReport {
  /** Records stored since the start. */
  readonly records: number;
  /** Time in which it had something to take since the start, ms. */
  readonly busyMs: number;
  /** Width of a slot in ms. */
  readonly slotMs: number;
  /** Records stored in each slot since the last resume. */
  readonly sinceResume: readonly number[];
}

class Intake {
  readonly #intervalMs: number;
  #freeAtMs = 0;
  #records = 0;
  #busyMs = 0;
  #resumedAtMs = performance.now();
  #slots: number[] = [];
  #stalled: PromiseWithResolvers<void> | null = null;

  constructor(recordsPerSecond: number) {
    this.#intervalMs = 1000 / recordsPerSecond;
  }

  stall(): void {
    this.#stalled ??= Promise.withResolvers();
  }

  resume(): void {
    this.#slots = [];
    this.#resumedAtMs = performance.now();
    this.#stalled?.resolve();
    this.#stalled = null;
  }

  report(): SlowSinkReport {
    return {
      records: this.#records,
      busyMs: this.#busyMs,
      slotMs: SLOT_MS,
      sinceResume: Array.from(this.#slots, (count) => count ?? 0),
    };
  }

  /** Resolves when `records` more are taken. A write that ends late does not delay the next one's end. */
  async take(records: number): Promise<void> {
    const beginMs = performance.now();
    await this.#stalled?.promise;
    const nowMs = performance.now();
    // The timer's own lateness, a few ms, is not the sink's time; an idle sink saves nothing up.
    if (nowMs - this.#freeAtMs > 20) this.#freeAtMs = nowMs;
    this.#freeAtMs += records * this.#intervalMs;
    await new Promise((resolve) => setTimeout(resolve, this.#freeAtMs - nowMs));
    await this.#stalled?.promise;
    this.#records += records;
    this.#busyMs += performance.now() - beginMs;
    const slot = Math.floor((performance.now() - this.#resumedAtMs) / SLOT_MS);
    this.#slots[slot] = (this.#slots[slot] ?? 0) + records;
  }
}

export default defineSink<z.infer<typeof config>>({
  type: "slow",
  config,
  hints: ({ maxRecords }) => ({
    maxRecords,
    maxBytes: 4 * 1024 * 1024,
    lingerMs: 0,
    framingBytes: 0,
    writesInFlight: 1,
  }),
  open({ recordsPerSecond, controlPort }) {
    const intake = new Intake(recordsPerSecond);
    const control = createServer((req, res) => {
      if (req.url === "/stall") intake.stall();
      if (req.url === "/resume") intake.resume();
      res.end(JSON.stringify(intake.report()));
    }).listen(controlPort, "127.0.0.1");
    return {
      async write(batch: Batch): Promise<WriteResult> {
        await intake.take(batch.count);
        return allAcked(batch);
      },
      check() {},
      close() {
        intake.resume();
        control.close();
        control.closeAllConnections();
      },
    };
  },
});
