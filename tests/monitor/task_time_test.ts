import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { TaskState, TaskTime } from "../../src/monitor/task_time.ts";

Deno.test("TaskTime.totals() books every moment to the state that held then, the running one included", () => {
  const time = new TaskTime(100);
  time.switchTo(TaskState.BUSY, 150);
  time.switchTo(TaskState.BACK_PRESSURED, 170);
  assertEquals(time.totals(200), { idleMs: 50, busyMs: 20, backPressuredMs: 30 });
});

Deno.test("TaskTime.perSecond() of a task without a past is its state", () => {
  assertEquals(new TaskTime(7, TaskState.BUSY).perSecond(7), { idleMs: 0, busyMs: 1000, backPressuredMs: 0 });
});

Deno.test("TaskTime.perSecond() measures over the time since the start when that is short", () => {
  const time = new TaskTime(0);
  time.switchTo(TaskState.BUSY, 750);
  assertEquals(time.perSecond(1_000), { idleMs: 750, busyMs: 250, backPressuredMs: 0 });
});

Deno.test("TaskTime.perSecond() adds up to 1000 also when two shares end in a half", () => {
  const time = new TaskTime(0);
  time.switchTo(TaskState.BACK_PRESSURED, 1_001);
  assertEquals(time.perSecond(2_000), { idleMs: 501, busyMs: 0, backPressuredMs: 499 });
});

Deno.test("TaskTime.perSecond() forgets what is older than a minute, slot by slot", () => {
  const time = new TaskTime(0, TaskState.BACK_PRESSURED);
  time.switchTo(TaskState.IDLE, 5_000);
  assertEquals(time.perSecond(59_999).backPressuredMs, 83);
  assertEquals(time.perSecond(60_000).backPressuredMs, 0);
  assertEquals(time.totals(60_000).backPressuredMs, 5_000);
});

Deno.test("TaskTime.perSecond() knows a span that began before the window, however long it was", () => {
  const time = new TaskTime(0);
  time.switchTo(TaskState.BACK_PRESSURED, 1_000);
  assertEquals(time.perSecond(3_600_000), { idleMs: 0, busyMs: 0, backPressuredMs: 1000 });
  time.switchTo(TaskState.IDLE, 3_600_000);
  assertEquals(time.totals(3_600_000), { idleMs: 1_000, busyMs: 0, backPressuredMs: 3_599_000 });
});

Deno.test("TaskTime adds up to 1000 per second exactly, and agrees with a list of all spans", () => {
  const spans = fc.array(
    fc.record({
      ms: fc.oneof(
        fc.double({ min: 0, max: 20, noNaN: true }),
        fc.integer({ min: 0, max: 9_000 }),
        fc.integer({ min: 0, max: 90_000 }),
      ),
      state: fc.constantFrom(TaskState.IDLE, TaskState.BUSY, TaskState.BACK_PRESSURED),
    }),
    { minLength: 1, maxLength: 60 },
  );
  fc.assert(fc.property(spans, fc.double({ min: 0, max: 1e6, noNaN: true }), (spans, startMs) => {
    let nowMs = startMs;
    const time = new TaskTime(nowMs, spans[0].state);
    const booked: { from: number; to: number; state: TaskState }[] = [];
    for (const { ms, state } of spans) {
      time.switchTo(state, nowMs);
      booked.push({ from: nowMs, to: nowMs + ms, state });
      nowMs += ms;
    }
    const actual = time.perSecond(nowMs);
    assertEquals(actual.idleMs + actual.busyMs + actual.backPressuredMs, 1000);
    const windowFrom = Math.max(startMs, startMs + (Math.floor((nowMs - startMs) / 5_000) - 11) * 5_000);
    const windowMs = nowMs - windowFrom;
    // Below a millisecond the rounding of the clock itself shows.
    if (windowMs < 1) return;
    const share = (state: TaskState) =>
      1000 / windowMs * booked.filter((span) => span.state === state)
        .reduce((sum, { from, to }) => sum + Math.max(0, to - Math.max(from, windowFrom)), 0);
    assertAlmostEquals(actual.idleMs, share(TaskState.IDLE), 1.001);
    assertAlmostEquals(actual.busyMs, share(TaskState.BUSY), 1.001);
    assertAlmostEquals(actual.backPressuredMs, share(TaskState.BACK_PRESSURED), 1.001);
    const totals = time.totals(nowMs);
    assertAlmostEquals(totals.idleMs + totals.busyMs + totals.backPressuredMs, nowMs - startMs, 1e-3);
  }));
});
