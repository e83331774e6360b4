/** One sink in one test: every result is held to the shape of the contract, and the batch's memory is overwritten. @module */
import { assertEquals } from "@std/assert";
import { assert } from "../../src/core/assert.ts";
import {
  type Batch,
  Outcome,
  type SinkAdapter,
  type SinkContext,
  type SinkDefinition,
  type WriteResult,
} from "../../src/sink/adapter.ts";
import { HeapBatch, type HeapBatchOptions, type HeapRecord } from "../support/heap_batch.ts";
import { outcomesOf } from "../support/written.ts";
import { sinkContext } from "./open_sink.ts";

/** "Soon" after an abort: generous, as the machine may stand still; the hanging operation itself would take for ever. */
export const SOON_MS = 60_000;

const encoder = new TextEncoder();

/** A place for one test to write to. */
export interface ConformancePlace {
  /** Options as in a config, without what every sink has. */
  readonly options: Readonly<Record<string, unknown>>;
  /** All values stored so far, in order; null where the sink keeps nothing that could be read back. */
  stored(): Promise<Uint8Array[] | null>;
  /** Takes it down. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Runs `body` with what a sink is opened with; its folder is removed afterwards. */
export async function withContext(body: (context: SinkContext) => Promise<void>): Promise<void> {
  const dataDir = await Deno.makeTempDir({ prefix: "weir-sink-" });
  try {
    await body(sinkContext({ sink: "test", dataDir }));
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** One test's sink: opened when it is needed, and every result held to the contract. */
export class SinkRun {
  /** Options as in a config. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The options as the schema gave them. */
  readonly config: unknown;
  readonly #definition: SinkDefinition;
  readonly #place: ConformancePlace;
  readonly #context: SinkContext;
  #adapter: Promise<SinkAdapter> | null = null;
  #batches = 0;

  /** Opens nothing yet. */
  constructor(definition: SinkDefinition, place: ConformancePlace, context: SinkContext) {
    this.#definition = definition;
    this.#place = place;
    this.#context = context;
    this.options = place.options;
    this.config = definition.config.parse(place.options);
  }

  /** The open sink; writes that come together share it. */
  async open(): Promise<SinkAdapter> {
    return await (this.#adapter ??= Promise.resolve(this.#definition.open(this.config, this.#context)));
  }

  /** Closes the sink; the next call opens it anew. */
  async close(): Promise<void> {
    await (await this.#adapter)?.close(AbortSignal.timeout(SOON_MS));
    this.#adapter = null;
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Writes, checks the shape of the result, and overwrites the batch's memory. */
  async write(
    records: readonly (HeapRecord | string)[],
    options: HeapBatchOptions = {},
  ): Promise<WriteResult> {
    const batch = this.#batchOf(records, options);
    const result = await (await this.open()).write(batch, new AbortController().signal);
    assertShape(result, batch);
    batch.overwrite();
    return result;
  }

  /** A write of which every record is acked. */
  async writeAcked(records: readonly (HeapRecord | string)[], options: HeapBatchOptions = {}): Promise<void> {
    this.assertOutcomes(await this.write(records, options), records.map(() => true));
  }

  /** A write with a signal; null where it was rejected, which means unknown. */
  async settled(records: readonly string[], signal: AbortSignal): Promise<WriteResult | null> {
    const batch = this.#batchOf(records);
    try {
      const result = await (await this.open()).write(batch, signal);
      assertShape(result, batch);
      return result;
    } catch {
      return null;
    } finally {
      batch.overwrite();
    }
  }

  /** Ids are unique, and in the order of the writes. */
  #batchOf(records: readonly (HeapRecord | string)[], options: HeapBatchOptions = {}): HeapBatch {
    return new HeapBatch(records, { idPrefix: `${this.#batches++}-`, ...options });
  }

  /** An abort says nothing about the records: none of them is refused. */
  assertNotRefused(results: readonly (WriteResult | null)[]): void {
    for (const result of results) {
      if (result === null) continue;
      assert(
        result.kind === "written" && result.outcomes[0] !== Outcome.REJECTED,
        "no record is refused for an abort",
      );
    }
  }

  /** Which records are acked; the others are rejected. */
  assertOutcomes(result: WriteResult, acked: readonly boolean[]): void {
    const wanted = acked.map((each) => each ? Outcome.ACKED : Outcome.REJECTED);
    assertEquals(outcomesOf(result), wanted, reasonsOf(result));
  }

  /** What the place holds; null where it cannot be read back. */
  stored(): Promise<Uint8Array[] | null> {
    return this.#place.stored();
  }

  /** The place holds `values` and nothing else, as far as it can be read back. */
  async assertStored(values: readonly (Uint8Array | string)[]): Promise<void> {
    const stored = await this.stored();
    if (stored === null) return;
    // Compared as text first: a diff of bytes says nothing to a reader.
    const bytes = values.map((each) => typeof each === "string" ? encoder.encode(each) : each);
    assertEquals(stored.map((each) => shown(each)), bytes.map((each) => shown(each)));
    assertEquals(stored.map((each) => each.length), bytes.map((each) => each.length));
  }
}

/** What the sink said of each record that it did not ack: without it a failure on a busy machine cannot be explained. */
function reasonsOf(result: WriteResult): string {
  if (result.kind === "tooLarge") return "too large";
  return [...result.reasons ?? []].map(([i, reason]) => `${i}: ${reason}`).join("\n");
}

/** Latin-1 has one character for each byte. */
function shown(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

function assertShape(result: WriteResult, batch: Batch): void {
  assert(["none", "throttle", "saturated"].includes(result.pressure.kind), "a result tells the pressure");
  if (result.kind === "tooLarge") return;
  assertEquals(result.outcomes.length, batch.count, "one outcome per record");
  for (let i = 0; i < batch.count; i++) {
    const acked = result.outcomes[i] === Outcome.ACKED;
    assertEquals(
      result.reasons?.has(i) ?? false,
      !acked,
      `a reason for what was not acked, for nothing else (${i})`,
    );
  }
}
