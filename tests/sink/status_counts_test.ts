import { assertEquals, assertThrows } from "@std/assert";
import { StatusCounts } from "../../src/sink/status_counts.ts";

Deno.test("StatusCounts.snapshot() tells the records by status", () => {
  const counts = new StatusCounts();
  for (const [status, records] of [[201, 990], [429, 10], [201, 10]]) counts.add(status, records);
  assertEquals(counts.snapshot(), { "201": 1000, "429": 10 });
});

Deno.test("StatusCounts.add() takes nothing that would make series without end", () => {
  const counts = new StatusCounts();
  for (const status of [99, 1000, 200.5, NaN, Infinity]) {
    assertThrows(() => counts.add(status, 1), RangeError, "from 100 to 999");
  }
  assertEquals(counts.snapshot(), {});
});
