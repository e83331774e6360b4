/** The counter of a request: told once, at the end, and not before. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvariantError } from "../../src/core/assert.ts";
import { AckCounter } from "../../src/partition/acks.ts";

function counted(): { counter: AckCounter; calls: () => number } {
  let calls = 0;
  return { counter: new AckCounter({ allSettled: () => calls++ }), calls: () => calls };
}

Deno.test("AckCounter.seal() tells at once where nothing was expected", () => {
  const { counter, calls } = counted();
  counter.seal();
  assertEquals(calls(), 1);
});

Deno.test("AckCounter.settle() tells nobody before the seal, though all that was expected is settled", () => {
  const { counter, calls } = counted();
  counter.expect(2);
  counter.settle(2);
  counter.expect(1);
  assertEquals(calls(), 0);
  counter.seal();
  assertEquals(calls(), 0);
  counter.settle(1);
  assertEquals([calls(), counter.open], [1, 0]);
});

Deno.test("AckCounter.abandon() goes on counting and tells nobody", () => {
  const { counter, calls } = counted();
  counter.expect(1);
  counter.abandon();
  counter.seal();
  counter.settle(1);
  assertEquals([calls(), counter.open], [0, 0]);
});

Deno.test("AckCounter refuses to settle what is not open, and to expect after its end", () => {
  const { counter } = counted();
  counter.expect(1);
  counter.seal();
  assertThrows(() => counter.settle(2), InvariantError, "twice");
  const ended = counted().counter;
  ended.seal();
  assertThrows(() => ended.expect(1), InvariantError, "after its end");
  assertThrows(() => ended.seal(), InvariantError, "twice");
});

Deno.test("AckCounter tells exactly once, when the last delivery is settled, in whatever order they come", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5 })), fc.infiniteStream(fc.nat()), (steps, choices) => {
      const { counter, calls } = counted();
      let open = 0;
      for (const deliveries of steps) {
        counter.expect(deliveries);
        open += deliveries;
        const settled = Math.min(open, choices.next().value % 4);
        counter.settle(settled);
        open -= settled;
        assertEquals([counter.open, calls()], [open + 1, 0]);
      }
      counter.seal();
      while (open > 0) {
        assertEquals(calls(), 0);
        counter.settle(1);
        open--;
      }
      assertEquals(calls(), 1);
    }),
  );
});
