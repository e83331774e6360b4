/** @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";

Deno.test("FakeTime.tick() runs the timers that come due, and no others", () => {
  using time = new FakeTime(1_000);
  const ran: string[] = [];
  setTimeout(() => ran.push("b"), 20);
  setTimeout(() => ran.push("a"), 10);
  const interval = setInterval(() => ran.push("i"), 15);
  clearTimeout(setTimeout(() => ran.push("never"), 5));
  time.tick(19);
  assertEquals(ran, ["a", "i"]);
  time.now = 1_030;
  assertEquals(ran, ["a", "i", "b", "i"]);
  assertEquals([time.now, Date.now(), time.start], [1_030, 1_030, 1_000]);
  clearInterval(interval);
  assertThrows(() => time.now = 5, RangeError, "5 is earlier");
});

Deno.test("FakeTime.next() runs one timer and says whether there was one", () => {
  using time = new FakeTime("2024-02-29T00:00:00Z");
  let ran = 0;
  setTimeout(() => ran++, 3_600_000);
  assert(time.next());
  assertEquals([ran, new Date().toISOString()], [1, "2024-02-29T01:00:00.000Z"]);
  assert(!time.next());
});

Deno.test("FakeTime.tickAsync() lets promises settle before and after the timers", async () => {
  using time = new FakeTime(0);
  const ran: string[] = [];
  void Promise.resolve().then(() => setTimeout(() => ran.push("timer"), 5));
  await time.tickAsync(5);
  assertEquals(ran, ["timer"]);
  setTimeout(() => void Promise.resolve().then(() => ran.push("after")), 1);
  await time.tickAsync(1);
  assertEquals(ran, ["timer", "after"]);
});

Deno.test("FakeTime.restore() brings the real timers back, and is refused twice", () => {
  const real = globalThis.setTimeout;
  const time = new FakeTime();
  assert(globalThis.setTimeout !== real);
  assertThrows(() => new FakeTime());
  time.restore();
  assert(globalThis.setTimeout === real);
  assertThrows(() => time.restore(), Error, "restored already");
  time[Symbol.dispose]();
});
