/** The example of a sink of one's own does what its text says. @module */
import { assertEquals } from "@std/assert";
import counterSink from "../../examples/sinks/counter_sink.ts";
import { HeapBatch } from "../support/heap_batch.ts";
import { LogLines } from "../support/log_lines.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { sinkContext } from "./open_sink.ts";

const NEVER = new AbortController().signal;

Deno.test("counter logs its sums each everyRecords records, and at the end", async () => {
  const log = new LogLines();
  const sink = await counterSink.open({ everyRecords: 3 }, sinkContext({ clock: new ManualClock(), log }));
  for (const values of [["a", "bb"], ["ccc", "d"], ["e"]]) await sink.write(new HeapBatch(values), NEVER);
  await sink.close(NEVER);
  assertEquals(log.lines.map(({ message, fields }) => [message, fields]), [
    ["counted", { records: 4, bytes: 7 }],
    ["counted in all", { records: 5, bytes: 8 }],
  ]);
});
