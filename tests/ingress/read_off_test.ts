import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { type ReadOff, ReadOffQueue } from "../../src/ingress/read_off.ts";

function bodies(count: number, flowing: number[]): ReadOff[] {
  return Array.from({ length: count }, (_, name) => ({ flow: () => flowing.push(name) }));
}

Deno.test("ReadOffQueue.begin() lets 4 flow at once, and the next one a while after one of them ended", () => {
  using time = new FakeTime();
  const queue = new ReadOffQueue();
  const flowing: number[] = [];
  const all = bodies(6, flowing);
  for (const each of all) queue.begin(each);
  assertEquals(flowing, [0, 1, 2, 3]);
  queue.end(all[3]);
  assertEquals(flowing, [0, 1, 2, 3]);
  time.tick(20);
  assertEquals(flowing, [0, 1, 2, 3, 4]);
  queue.end(all[3]);
  time.tick(100);
  assertEquals(flowing, [0, 1, 2, 3, 4]);
});

Deno.test("ReadOffQueue.end() forgets one that waits for its turn", () => {
  using time = new FakeTime();
  const queue = new ReadOffQueue();
  const flowing: number[] = [];
  const all = bodies(6, flowing);
  for (const each of all) queue.begin(each);
  queue.end(all[4]);
  queue.end(all[0]);
  time.tick(20);
  assertEquals(flowing, [0, 1, 2, 3, 5]);
});
