/** The table in the README says what the bench measured. @module */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { json } from "../bench/report.ts";
import type { Result } from "../bench/row.ts";
import { benchTable, parseBenchReport, withBenchTable } from "./print_bench_table.ts";

const RATIO: Result = {
  name: "1 KiB POST",
  goal: { kind: "atLeast", value: 0.75, unit: "×" },
  value: 0.8,
  perCpu: 0.901,
  min: 0.7,
  max: 0.95,
  samples: 16,
  detail: {},
};
const NEVER: Result = {
  name: "return",
  goal: { kind: "atMost", value: 200, unit: "ms" },
  value: Infinity,
  min: 10,
  max: Infinity,
  samples: 1,
  detail: {},
};

Deno.test("benchTable() prints what report.json() wrote, infinity as never, failures below", () => {
  const table = benchTable(parseBenchReport(json([RATIO, NEVER], [{ row: "stall", reason: "no wrk" }])));
  const lines = table.split("\n");
  assertStringIncludes(lines[0], `Deno ${Deno.version.deno}`);
  assertEquals(lines.slice(2), [
    "| what | goal | measured | per CPU-second | min–max | passes |",
    "| --- | --- | --- | --- | --- | --- |",
    "| 1 KiB POST | ≥ 0.75× | 0.80× | 0.90× | 0.70–0.95× | yes |",
    "| return | ≤ 200 ms | never |  | 10.0–never | **no** |",
    "",
    "Not measured: stall (no wrk).",
  ]);
});

Deno.test("parseBenchReport() refuses what no bench wrote", () => {
  assertThrows(() => parseBenchReport('{"rows": []}'));
});

Deno.test("withBenchTable() replaces what stands between the markers, and refuses a text without them", () => {
  const readme = "a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nb\n";
  assertEquals(withBenchTable(readme, "new"), "a\n<!-- bench:begin -->\n\nnew\n\n<!-- bench:end -->\nb\n");
  assertEquals(withBenchTable("<!-- bench:end --><!-- bench:begin -->", "new"), null);
});
