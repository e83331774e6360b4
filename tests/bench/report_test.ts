/** @module */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseArguments } from "./main.ts";
import { json, table } from "./report.ts";
import type { Result } from "./row.ts";
import { recoveryMs } from "./rows/stall.ts";

const RESULT: Result = {
  name: "1 KiB POST",
  goal: { kind: "atLeast", value: 0.85, unit: "×" },
  value: 0.8,
  perCpu: 0.9,
  min: 0.7,
  max: 1.25,
  samples: 16,
  detail: { "records/s": 1000 },
};

Deno.test("table() shows a missed goal, the details and what was not measured", () => {
  const text = table([RESULT], [{ row: "stall", reason: "no wrk" }]);
  assertStringIncludes(
    text,
    "1 KiB POST  ≥ 0.85×  0.80×     0.90×      0.70 … 1.25  16  NO\n    records/s: 1000\n",
  );
  assertStringIncludes(text, "stall: not measured: no wrk");
});

Deno.test("json() says for each row whether it passes", () => {
  const document = JSON.parse(json([RESULT, { ...RESULT, value: 0.85 }], []));
  assertEquals(document.rows.map((row: { passes: boolean }) => row.passes), [false, true]);
});

Deno.test("parseArguments() reads options and refuses what it does not know", () => {
  const { jsonPath, only, slices } = parseArguments(["--json", "b.json", "--slices", "4", "--only", "post"]);
  assertEquals([jsonPath, only.source, slices], ["b.json", "post", 4]);
  for (const wrong of [["--slice", "4"], ["--slices"], ["--slices", "0"], ["--slices", "x"]]) {
    assertThrows(() => parseArguments(wrong), RangeError);
  }
});

Deno.test("recoveryMs() is the start of the first window at 95 % of the rate", () => {
  const slots = [0, 0, 5, 9, 10, 10, 10];
  assertEquals(recoveryMs(slots, 10, 1000, 30), 30);
  assertEquals(recoveryMs(slots, 10, 2000, 30), Infinity);
});
