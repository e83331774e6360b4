import { assertEquals } from "@std/assert";
import { type Dated, DeadlineQueue } from "../../src/ingress/deadline_queue.ts";
import { ManualClock } from "../support/manual_clock.ts";

function item(name: string, late: string[]): Dated {
  return { dueMs: 0, previous: null, next: null, late: () => late.push(name) };
}

Deno.test("DeadlineQueue.add() calls late() when the time is over, in order, and once", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock, 100);
  const late: string[] = [];
  queue.add(item("a", late));
  clock.advance(60);
  queue.add(item("b", late));
  clock.advance(39);
  assertEquals(late, []);
  clock.advance(1);
  assertEquals(late, ["a"]);
  clock.advance(60);
  assertEquals(late, ["a", "b"]);
  clock.advance(1_000);
  assertEquals(late, ["a", "b"]);
});

Deno.test("DeadlineQueue.remove() takes out first, middle and last, and is harmless for who is not in it", () => {
  for (const gone of [0, 1, 2]) {
    const clock = new ManualClock();
    const queue = new DeadlineQueue(clock, 100);
    const late: string[] = [];
    const items = ["a", "b", "c"].map((name) => item(name, late));
    for (const each of items) queue.add(each);
    queue.remove(items[gone]);
    queue.remove(items[gone]);
    clock.advance(100);
    assertEquals(late, ["a", "b", "c"].filter((_, index) => index !== gone));
  }
});

Deno.test("DeadlineQueue.close() calls nobody any more", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock, 100);
  const late: string[] = [];
  queue.add(item("a", late));
  queue.close();
  clock.advance(1_000);
  assertEquals([late, clock.pending], [[], 0]);
});
