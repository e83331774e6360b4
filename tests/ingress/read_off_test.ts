import { assertEquals } from "@std/assert";
import { type ReadOff, ReadOffQueue } from "../../src/ingress/read_off.ts";

function body(name: number, flowing: number[]): ReadOff {
  return { flow: () => flowing.push(name) };
}

Deno.test("ReadOffQueue.begin() lets 16 flow at once, and the next one when one of them ends", () => {
  const queue = new ReadOffQueue();
  const flowing: number[] = [];
  const bodies = Array.from({ length: 18 }, (_, name) => body(name, flowing));
  for (const each of bodies) queue.begin(each);
  assertEquals(flowing.length, 16);
  queue.end(bodies[3]);
  assertEquals(flowing.at(-1), 16);
  queue.end(bodies[3]);
  assertEquals(flowing.length, 17);
});

Deno.test("ReadOffQueue.end() forgets one that waits for its turn", () => {
  const queue = new ReadOffQueue();
  const flowing: number[] = [];
  const bodies = Array.from({ length: 18 }, (_, name) => body(name, flowing));
  for (const each of bodies) queue.begin(each);
  queue.end(bodies[16]);
  queue.end(bodies[0]);
  assertEquals(flowing.at(-1), 17);
});
