/**
 * Takes every record at once and counts it. The fastest sink there is: what is measured against it is the gateway. With
 * `maxRecords` it keeps the newest records, for tests of one's own set-up.
 *
 * @module
 */
import { z } from "zod";
import {
  allAcked,
  type Batch,
  defineSink,
  type SinkAdapter,
  type SinkDefinition,
  type WriteResult,
} from "../src/sink/adapter.ts";

/** Options of `memory`. */
export interface MemoryOptions {
  /** How many of the newest records are kept; 0 for none. */
  readonly maxRecords: number;
}

const optionsSchema: z.ZodType<MemoryOptions> = z.strictObject({
  maxRecords: z.int().min(0).max(1_000_000).default(0).describe(
    "Keep so many of the newest records; 0: count only",
  ),
});

/** What `memory` sinks took. Bounded by `maxRecords`: the oldest record makes room for the newest. */
export class MemoryStore {
  #count = 0;
  #bytes = 0;
  #kept: Uint8Array[] = [];
  #oldest = 0;

  /** Records taken, those that are no longer kept included. */
  get count(): number {
    return this.#count;
  }

  /** Sum of their values' bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The values that are kept, oldest first. */
  records(): Uint8Array[] {
    return [...this.#kept.slice(this.#oldest), ...this.#kept.slice(0, this.#oldest)];
  }

  /** Takes `batch`, and keeps copies of its last values where `maxRecords` is not 0. */
  take(batch: Batch, maxRecords: number): void {
    this.#count += batch.count;
    this.#bytes += batch.bytes;
    for (let i = Math.max(0, batch.count - maxRecords); i < batch.count; i++) {
      this.#keep(batch.value(i).slice(), maxRecords);
    }
  }

  #keep(value: Uint8Array, maxRecords: number): void {
    if (this.#kept.length < maxRecords) {
      this.#kept.push(value);
      return;
    }
    this.#kept[this.#oldest] = value;
    this.#oldest = (this.#oldest + 1) % maxRecords;
  }
}

/** An open `memory` sink. */
export class MemorySink implements SinkAdapter {
  /** What it took. */
  readonly store: MemoryStore;
  readonly #maxRecords: number;

  /** Takes records into `store`. */
  constructor(store: MemoryStore, options: MemoryOptions) {
    this.store = store;
    this.#maxRecords = options.maxRecords;
  }

  /** The values that are kept, oldest first. */
  records(): Uint8Array[] {
    return this.store.records();
  }

  write(batch: Batch): WriteResult {
    this.store.take(batch, this.#maxRecords);
    return allAcked(batch);
  }

  check(): void {}

  close(): void {}
}

/** The kind `memory`. All its sinks fill `store`, which then must see one `maxRecords` only; each its own without it. */
export function createMemorySink(store?: MemoryStore): SinkDefinition<MemoryOptions> {
  return defineSink<MemoryOptions>({
    type: "memory",
    config: optionsSchema,
    hints: () => ({
      maxRecords: 10_000,
      maxBytes: 1_048_576,
      lingerMs: 0,
      framingBytes: 0,
      writesInFlight: 4,
    }),
    open: (options) => new MemorySink(store ?? new MemoryStore(), options),
  });
}

/** Counts records in memory. */
export const memorySink: SinkDefinition<MemoryOptions> = createMemorySink();
