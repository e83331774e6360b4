/**
 * What the gate tells of its sink's health. Its turns and tokens are tested through the lanes that use them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { SinkGate } from "../../src/lane/sink_gate.ts";
import type { WriteControl } from "../../src/limit/controllers.ts";
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

Deno.test("SinkGate takes over from its predecessor what a controller of the same kind has found", () => {
  const clock = new ManualClock();
  const gateWith = (control: WriteControl, predecessor?: SinkGate): SinkGate =>
    new SinkGate({
      sink: "remote",
      clock,
      limits: {},
      control,
      downAfterMs: 100,
      predecessor,
      log: new LogLines(),
    });
  const control: WriteControl = { kind: "arc", initial: 1, min: 1, max: 9 };
  const first = gateWith(control);
  for (let endMs = 0; endMs < 5000; endMs += 1000) {
    const inFlight = first.inFlightLimit;
    first.account.controller.update({ endMs, latencyMs: 100, inFlight, refused: false });
  }
  assertEquals(first.inFlightLimit, 5);
  const second = gateWith({ ...control, max: 4 }, first);
  assertEquals(second.inFlightLimit, 4);
  assertEquals(gateWith({ ...control, kind: "static", initial: 2 }, second).inFlightLimit, 2);
});

Deno.test("SinkGate.writing() tells how long records waited for the sink, without what bucket, throttle or pause took", () => {
  const clock = new ManualClock();
  const delays: number[] = [];
  const observer = { started: (delayMs: number) => void delays.push(delayMs), ended: () => {} };
  const gate = new SinkGate({
    sink: "slow",
    clock,
    limits: { recordsPerSecond: 10, burstRecords: 10 },
    control: { kind: "static", initial: 1, min: 1, max: 1 },
    downAfterMs: 100,
    log: new LogLines(),
    observer,
  });
  const waitFor = (holds: () => boolean): void => {
    while (!holds()) clock.advance(100);
    gate.writing(0);
  };
  clock.advance(300);
  waitFor(() => gate.mayWrite() && gate.takeTokens(10, 0));
  waitFor(() => gate.takeTokens(10, 0));
  clock.advance(50);
  waitFor(() => gate.mayWrite());
  gate.press({ kind: "throttle", delayMs: 500 });
  waitFor(() => gate.mayWrite());
  gate.setPaused(true);
  assertEquals(gate.mayWrite(), false);
  clock.advance(700);
  gate.setPaused(false);
  waitFor(() => gate.mayWrite());
  // Held by the bucket, 50 ms after that, by a throttle, by a pause.
  assertEquals(delays, [300, 0, 50, 0, 0]);
  gate.close();
});
