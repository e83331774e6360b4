/** A body is an action line and a document on one line for each record that can be stored, however its batch lies in memory. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ActionWriter } from "../../../adapters/elasticsearch/action.ts";
import { BulkBody } from "../../../adapters/elasticsearch/bulk_body.ts";
import { BulkOutcomes } from "../../../adapters/elasticsearch/outcomes.ts";
import { elasticsearchSink } from "../../../adapters/elasticsearch.ts";
import { Outcome } from "../../../src/sink/adapter.ts";
import { HeapBatch, type HeapLayout, type HeapRecord } from "../../support/heap_batch.ts";

/** Around the length up to which documents are copied. */
const LONG_TEXTS = [4_080, 4_096, 10_000].map((length) => "x".repeat(length));

const blanks = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\r"), maxLength: 3 });
const object = fc.record({
  id: fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed()),
  text: fc.oneof(fc.string({ maxLength: 80 }), fc.constantFrom(...LONG_TEXTS)),
}).map((value) => JSON.stringify(value));
const value = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(blanks, object, blanks).map((parts) => parts.join("")) },
  { weight: 1, arbitrary: fc.constantFrom("", " ", "[]", "1", "{", "{}}", '"{}"', " {") },
);
const record: fc.Arbitrary<HeapRecord> = fc.record({ value, isTold: fc.boolean() }).map((each) => ({
  value: each.value,
  // Streams that trust their records tell of none that it is JSON.
  ...each.isTold ? {} : { json: false },
}));

function isObject(text: string): boolean {
  try {
    return text.trimStart().startsWith("{") && typeof JSON.parse(text) === "object";
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

Deno.test("BulkBody.encode() writes each object behind its action line, and rejects what is none", () => {
  const body = new BulkBody();
  fc.assert(fc.property(
    fc.array(record, { minLength: 1, maxLength: 12 }),
    fc.constantFrom<HeapLayout>("adjacent", "apart", "spanning"),
    fc.boolean(),
    (records, layout, isIdInDocument) => {
      const options = { nodes: ["http://host"], index: "docs", ...isIdInDocument ? { id: "/id" } : {} };
      const batch = new HeapBatch(records, { layout });
      const outcomes = new BulkOutcomes(batch.count);
      body.encode(batch, new ActionWriter(elasticsearchSink.config.parse(options)), outcomes);

      const texts = records.map((each) => each.value as string);
      const stored = texts.map((_, i) => i).filter((i) => isObject(texts[i]));
      const lines = stored.flatMap((i) => {
        const _id = isIdInDocument ? JSON.parse(texts[i]).id : batch.id(i);
        return [JSON.stringify({ create: { _index: "docs", _id } }), texts[i].replaceAll(/[\r\n]/g, " ")];
      });
      const result = outcomes.result();
      assertEquals(
        result.kind === "written" && [...result.outcomes],
        texts.map((text) => isObject(text) ? Outcome.ACKED : Outcome.REJECTED),
      );
      assertEquals(Array.from({ length: body.count }, (_, at) => body.record(at)), stored);
      const middle = body.count >> 1;
      for (const [from, to] of [[0, body.count], [0, middle], [middle, body.count]]) {
        if (from === to) continue;
        const text = textOf(body.pieces(from, to));
        assertEquals(text, lines.slice(2 * from, 2 * to).map((line) => line + "\n").join(""));
        assertEquals(body.byteLength(from, to), new TextEncoder().encode(text).length);
      }
    },
  ));
});

function textOf(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return pieces.map((piece) => decoder.decode(piece, { stream: true })).join("");
}
