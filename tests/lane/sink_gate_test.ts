/**
 * What the gate tells of its sink's health. Its turns and tokens are tested through the lanes that use them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { SinkGate } from "../../src/lane/sink_gate.ts";
import { LogLines } from "../support/log_lines.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("SinkGate.failed() and .answered() log once that the sink is down, with the reason, and once that it is up", async () => {
  const clock = new ManualClock();
  const log = new LogLines();
  const gate = new SinkGate({
    sink: "remote",
    clock,
    limits: {},
    control: { kind: "static", initial: 1, min: 1, max: 1 },
    downAfterMs: 100,
    log,
  });
  gate.trying();
  gate.failed("refused at once");
  await clock.advance(100);
  for (const reason of ["connection refused", "still refused"]) {
    gate.trying();
    gate.failed(reason);
  }
  gate.answered();
  gate.answered();
  gate.trying();
  gate.failed("refused once");
  assertEquals(log.lines, [
    { level: "warn", message: "sink is down", fields: { sink: "remote", reason: "connection refused" } },
    { level: "info", message: "sink is up again", fields: { sink: "remote" } },
  ]);
});
