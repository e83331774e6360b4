import { assert, assertEquals } from "@std/assert";
import { ProcessProbe } from "../../src/monitor/process_probe.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("ProcessProbe.snapshot() tells how late a timer came, for a minute", () => {
  const clock = new ManualClock();
  using probe = new ProcessProbe(clock);
  clock.advance(10_000);
  assertEquals(probe.snapshot().eventLoopLagSeconds, 0);
  // A blocked loop: time goes on and the due timer is run only afterwards.
  const late = clock.setTimer.bind(clock);
  clock.setTimer = (run, delayMs) => late(run, delayMs + 300);
  clock.advance(1_000);
  clock.setTimer = late;
  clock.advance(1_000);
  assertEquals(probe.snapshot().eventLoopLagSeconds, 0.3);
  clock.advance(61_000);
  assertEquals(probe.snapshot().eventLoopLagSeconds, 0);
});

Deno.test("ProcessProbe.stop() leaves no timer behind", () => {
  const clock = new ManualClock();
  const probe = new ProcessProbe(clock);
  clock.advance(5_000);
  probe.stop();
  probe.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("ProcessProbe.snapshot() reads memory and processor time of this process", () => {
  using probe = new ProcessProbe(new ManualClock());
  const { residentBytes, cpuSeconds } = probe.snapshot();
  assert(residentBytes > 10_000_000, `resident ${residentBytes}`);
  assert(cpuSeconds > 0, `cpu ${cpuSeconds}`);
});
