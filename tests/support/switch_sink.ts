/**
 * A kind of sink that a test can stop and let go by name, and that tells what it was asked in the order of things:
 * `open NAME TAG`, `close NAME TAG`. What it stored is kept by name, over all that were opened under it.
 *
 * @module
 */
import { z } from "zod";
import {
  allAcked,
  type Batch,
  defineSink,
  NO_PRESSURE,
  Outcome,
  type SinkDefinition,
  type WriteResult,
} from "../../mod.ts";

/** Options: a `tag` to change. */
export interface SwitchOptions {
  readonly tag: string;
  /** Whether it refuses every record for good. */
  readonly rejects: boolean;
}

const decoder = new TextDecoder();

/** The sinks of one test. */
export class SwitchSinks {
  /** What was opened and closed. */
  readonly events: string[] = [];
  readonly #stored: Map<string, string[]> = new Map();
  readonly #stalled: Map<string, PromiseWithResolvers<void>> = new Map();
  /** Writes that are under way, by sink. */
  readonly writing: Map<string, number> = new Map();

  /** The kind `switch`. */
  readonly definition: SinkDefinition<SwitchOptions> = defineSink<SwitchOptions>({
    type: "switch",
    config: z.strictObject({ tag: z.string().default(""), rejects: z.boolean().default(false) }),
    hints: () => ({ maxRecords: 4, maxBytes: 65_536, lingerMs: 0, framingBytes: 0, writesInFlight: 2 }),
    open: ({ tag, rejects }, { sink }) => {
      this.events.push(`open ${sink} ${tag}`.trimEnd());
      return {
        write: (batch, signal) => this.#write(sink, rejects, batch, signal),
        check() {},
        close: () => void this.events.push(`close ${sink} ${tag}`.trimEnd()),
      };
    },
  });

  /** Values that `sink` stored, in order. */
  stored(sink: string): readonly string[] {
    return this.#stored.get(sink) ?? [];
  }

  /** From now on writes to `sink` wait. */
  stall(sink: string): void {
    if (!this.#stalled.has(sink)) this.#stalled.set(sink, Promise.withResolvers());
  }

  /** Writes to `sink` go on. */
  release(sink: string): void {
    this.#stalled.get(sink)?.resolve();
    this.#stalled.delete(sink);
  }

  async #write(sink: string, rejects: boolean, batch: Batch, signal: AbortSignal): Promise<WriteResult> {
    this.writing.set(sink, (this.writing.get(sink) ?? 0) + 1);
    try {
      const aborted = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
      await Promise.race([this.#stalled.get(sink)?.promise, aborted.promise]);
      if (rejects) {
        return {
          kind: "written",
          outcomes: new Uint8Array(batch.count).fill(Outcome.REJECTED),
          pressure: NO_PRESSURE,
        };
      }
      const stored = this.#stored.get(sink) ?? [];
      for (let i = 0; i < batch.count; i++) stored.push(decoder.decode(batch.value(i)));
      this.#stored.set(sink, stored);
      return allAcked(batch);
    } finally {
      this.writing.set(sink, this.writing.get(sink)! - 1);
    }
  }
}
