/** The `memory` sink counts everything and keeps the newest. @module */
import { assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { createMemorySink, MemorySink, memorySink, MemoryStore } from "../../adapters/memory.ts";
import { assert } from "../../src/core/assert.ts";
import type { SinkContext } from "../../src/sink/adapter.ts";
import { HeapBatch } from "../support/heap_batch.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { sinkContext } from "./open_sink.ts";

const decoder = new TextDecoder();

function context(): SinkContext {
  return sinkContext({ clock: new ManualClock() });
}

function texts(store: MemoryStore): string[] {
  return store.records().map((value) => decoder.decode(value));
}

Deno.test("MemoryStore.records() gives the newest maxRecords, oldest first", () => {
  const batches = fc.array(fc.array(fc.string({ maxLength: 4 }), { minLength: 1, maxLength: 12 }), {
    maxLength: 12,
  });
  fc.assert(fc.property(batches, fc.integer({ min: 1, max: 15 }), (all, maxRecords) => {
    const store = new MemoryStore();
    for (const values of all) store.take(new HeapBatch(values), maxRecords);
    assertEquals(texts(store), all.flat().slice(-maxRecords));
    assertEquals(store.count, all.flat().length);
  }));
});

Deno.test("memory write() settles at once, and by default counts only", async () => {
  const sink = await memorySink.open(memorySink.config.parse({}), context());
  assert(sink instanceof MemorySink, "an open memory sink can be looked into");
  const result = sink.write(new HeapBatch(["one", "three"]));
  assert(!(result instanceof Promise), "no promise for a write that is over");
  assertEquals([sink.store.count, sink.store.bytes, sink.records()], [2, 8, []]);
});

Deno.test("createMemorySink() fills the given store with the records of all its sinks, and each its own without one", async () => {
  const store = new MemoryStore();
  for (const definition of [createMemorySink(store), createMemorySink()]) {
    for (const value of ["one", "two"]) {
      const sink = await definition.open({ maxRecords: 10 }, context());
      await sink.write(new HeapBatch([value]), new AbortController().signal);
    }
  }
  assertEquals(texts(store), ["one", "two"]);
});
