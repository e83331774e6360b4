/** Lines out of batches, however their memory is laid out. @module */
import { assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { frameLines, HOLDS_LINE_FEED } from "../../src/sink/lines.ts";
import { Verdict } from "../../src/sink/verdict.ts";
import { HeapBatch, type HeapLayout, type HeapRecord } from "../support/heap_batch.ts";
import { outcomesOf, written } from "../support/written.ts";

function lines(
  records: readonly (HeapRecord | string)[],
  layout: HeapLayout,
): { text: string; pieces: number; verdict: Verdict } {
  const batch = new HeapBatch(records, { layout });
  const verdict = new Verdict(batch);
  const pieces: string[] = [];
  frameLines(batch, verdict, (bytes) => pieces.push(new TextDecoder("latin1").decode(bytes)));
  return { text: pieces.join(""), pieces: pieces.length, verdict };
}

const layouts = fc.constantFrom<HeapLayout>("adjacent", "apart", "spanning");
const values = fc.oneof(
  fc.constantFrom("plain", "", "cr\rhere", "lf\nhere", "\r\n", '{"a":1}', "tail\r"),
  fc.json().map((text) => JSON.stringify(JSON.parse(text), null, 1).replace(/[^\0-\x7e]/g, "?")),
);

Deno.test("frameLines() writes each record as one line, or rejects it", () => {
  fc.assert(
    fc.property(
      fc.array(values, { minLength: 1, maxLength: 12 }),
      layouts,
      fc.boolean(),
      (all, layout, known) => {
        const { text, verdict } = lines(all.map((value) => known ? value : { value, json: false }), layout);
        const fits = all.map((value) => isJson(value) || !value.includes("\n"));
        assertEquals(outcomesOf(verdict.acked()), fits.map((fit) => fit ? 0 : 2));
        const wanted = all.filter((_, i) => fits[i]).map((value) =>
          isJson(value) ? value.replace(/[\r\n]/g, " ") : value
        );
        assertEquals(text, wanted.map((value) => `${value}\n`).join(""));
      },
    ),
  );
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

Deno.test("frameLines() emits a run of adjacent records in one piece", () => {
  assertEquals(lines(["1", "2", "", "4"], "adjacent").pieces, 1);
  assertEquals(lines(["1", "[\n]", "3", "4"], "adjacent").pieces, 4);
});

Deno.test("frameLines() tells why a record is no line", () => {
  const { verdict } = lines(["a", "b\nc"], "apart");
  assertEquals(
    written(verdict.retryable("the sink is down")).reasons,
    new Map([[0, "the sink is down"], [1, HOLDS_LINE_FEED]]),
  );
  assertEquals(verdict.sent, 1);
});
