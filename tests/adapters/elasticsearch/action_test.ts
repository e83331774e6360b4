/** Whatever stands in a record, its action line is one line and says what was meant. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ActionWriter } from "../../../adapters/elasticsearch/action.ts";
import { elasticsearchSink } from "../../../adapters/elasticsearch.ts";
import { GatherBuffer } from "../../../src/sink/gather_buffer.ts";
import { HeapBatch } from "../../support/heap_batch.ts";

const encoder = new TextEncoder();
const short = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter((text) =>
  text.isWellFormed()
);

function lineOf(options: Record<string, unknown>, document: string, id?: string): string {
  const actions = new ActionWriter(
    elasticsearchSink.config.parse({ nodes: ["http://host"], index: "docs", ...options }),
  );
  const target = new GatherBuffer();
  const batch = new HeapBatch([{ value: document, id }]);
  assertEquals(actions.append(batch, 0, encoder.encode(document), target), null);
  return new TextDecoder("utf-8", { fatal: true }).decode(target.view());
}

Deno.test("ActionWriter.append() writes any _id and routing as one line that says just that", () => {
  fc.assert(fc.property(
    fc.oneof(short, short.map((text) => `"}}\n{"delete":{"_id":"${text}`)),
    fc.oneof(short, fc.string({ unit: fc.constantFrom('"', "\\", "\n", "\0", "\x1f", "é"), minLength: 1 })),
    (id, routing) => {
      const line = lineOf({ id: "/a/id", routing: "/to" }, JSON.stringify({ a: { id }, to: routing }));
      assertEquals(line.indexOf("\n"), line.length - 1);
      assertEquals(JSON.parse(line), { create: { _index: "docs", _id: id, routing } });
    },
  ));
});

Deno.test("ActionWriter.append() writes any record id as one line that says just that", () => {
  fc.assert(fc.property(fc.oneof(short, fc.string({ minLength: 1, maxLength: 40 })), (id) => {
    const line = lineOf({ op: "index" }, "{}", id);
    assertEquals(line.indexOf("\n"), line.length - 1);
    assertEquals(JSON.parse(line), { index: { _index: "docs", _id: id } });
  }));
});
