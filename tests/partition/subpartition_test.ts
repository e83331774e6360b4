/** The lane's queue against a plain array. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvariantError } from "../../src/core/assert.ts";
import { type ChannelEvent, Subpartition } from "../../src/partition/subpartition.ts";

Deno.test("Subpartition.backlog counts buffers and no events", () => {
  const queue = new Subpartition<string>();
  queue.add("a");
  queue.addEvent({ kind: "flush" });
  queue.add("b");
  assertEquals([queue.backlog, queue.length], [2, 3]);
  assertEquals(queue.pollBuffer(), "a");
  assertEquals(queue.backlog, 1); // [event, data]: what Flink tells for the same queue
  assertEquals(queue.pollEvent(), { kind: "flush" });
  assertEquals(queue.backlog, 1);
});

Deno.test("Subpartition.poll*() refuses what is not at the head", () => {
  const queue = new Subpartition<string>();
  assertEquals(queue.peekKind(), "none");
  assertThrows(() => queue.pollBuffer(), InvariantError);
  queue.addEvent({ kind: "end" });
  assertThrows(() => queue.pollBuffer(), InvariantError);
  queue.pollEvent();
  queue.add("a");
  assertThrows(() => queue.pollEvent(), InvariantError);
});

Deno.test("Subpartition.add() takes buffers that look like events for buffers", () => {
  const queue = new Subpartition<ChannelEvent>();
  queue.add({ kind: "end" });
  assertEquals([queue.peekKind(), queue.backlog], ["data", 1]);
});

Deno.test("Subpartition.drain() gives each buffer once, oldest first, and keeps what is added meanwhile", () => {
  const queue = new Subpartition<number>();
  for (const n of [1, 2, 3]) queue.add(n);
  queue.addEvent({ kind: "end" });
  const drained: number[] = [];
  queue.drain((n) => {
    drained.push(n);
    if (n === 1) queue.add(4);
  });
  assertEquals([drained, queue.length, queue.pollBuffer()], [[1, 2, 3], 1, 4]);
});

Deno.test("Subpartition is first in, first out, whatever the ring's size and position", () => {
  const step = fc.oneof({ weight: 5, arbitrary: fc.constant("add") }, fc.constant("event"), {
    weight: 4,
    arbitrary: fc.constant("poll"),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
    const queue = new Subpartition<number>();
    const model: (number | ChannelEvent)[] = [];
    for (const [n, kind] of steps.entries()) {
      if (kind === "add") {
        queue.add(n);
        model.push(n);
      } else if (kind === "event") {
        queue.addEvent({ kind: "barrier", id: n });
        model.push({ kind: "barrier", id: n });
      } else if (model.length > 0) {
        const got = queue.peekKind() === "data" ? queue.pollBuffer() : queue.pollEvent();
        assertEquals(got, model.shift());
      }
      assertEquals([queue.length, queue.backlog], [
        model.length,
        model.filter((m) => typeof m === "number").length,
      ]);
    }
  }));
});
