/** The queue is by age, and every wait ends. @module */
import { assertEquals } from "@std/assert";
import type { AdmittedBody } from "../../src/admission/arrivals.ts";
import { WaitingBodies } from "../../src/admission/waiting_bodies.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { FakeBody } from "./bodies.ts";

function open(): { clock: ManualClock; waiting: WaitingBodies; late: AdmittedBody[] } {
  const clock = new ManualClock();
  const late: AdmittedBody[] = [];
  return { clock, late, waiting: new WaitingBodies(clock, (body) => late.push(body)) };
}

Deno.test("WaitingBodies.first is the oldest body, whenever it began to wait", () => {
  const { waiting } = open();
  const bodies = [5, 2, 9, 1].map((age) => new FakeBody(age));
  for (const body of bodies) waiting.add(body, 1_000);
  assertEquals([...waiting].map(({ age }) => age), [1, 2, 5, 9]);
  assertEquals(waiting.first, bodies[3]);
  waiting.leave(bodies[3]);
  waiting.leave(bodies[3]);
  assertEquals([waiting.first, waiting.count], [bodies[1], 3]);
  for (const body of waiting) waiting.leave(body);
  assertEquals([waiting.first, waiting.count], [null, 0]);
});

Deno.test("WaitingBodies.bytes is what bodies wanted to bring when they began to wait", () => {
  const { waiting } = open();
  const [a, b] = [new FakeBody(1), new FakeBody(2)];
  waiting.add(a, 1_000);
  waiting.add(b, 1_000);
  a.expectedBytes = 5_000;
  assertEquals(waiting.bytes, 200);
  waiting.leave(a);
  assertEquals(waiting.bytes, 100);
});

Deno.test("WaitingBodies ends a wait after its time, which extend() begins anew", () => {
  const { clock, waiting, late } = open();
  const [a, b, c] = [new FakeBody(1), new FakeBody(2), new FakeBody(3)];
  for (const body of [a, b, c]) waiting.add(body, 1_000);
  clock.advance(600);
  waiting.extend(a, 1_000);
  waiting.leave(c);
  clock.advance(400);
  assertEquals([late, waiting.has(a), waiting.has(b)], [[b], true, false]);
  clock.advance(600);
  assertEquals([late, waiting.count, clock.pending], [[b, a], 0, 0]);
});
