/** The ring against a plain array. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvariantError } from "../../src/core/assert.ts";
import { Ring } from "../../src/core/ring.ts";

Deno.test("Ring is first in, first out, whatever its size and position", () => {
  const item = fc.nat({ max: 20 });
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("push"), item }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("shift"), item }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove"), item }) },
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
    const ring = new Ring<number>();
    let model: number[] = [];
    for (const { kind, item } of steps) {
      if (kind === "push") {
        ring.push(item);
        model.push(item);
      } else if (kind === "remove") {
        ring.remove(item);
        model = model.filter((other) => other !== item);
      } else if (model.length > 0) {
        assertEquals(ring.shift(), model.shift());
      }
      assertEquals(ring.includes(item), model.includes(item));
      assertEquals(Array.from({ length: ring.length }, (_, index) => ring.at(index)), model);
    }
  }));
});

Deno.test("Ring.at() and Ring.shift() refuse what is not there", () => {
  const ring = new Ring<number>();
  assertThrows(() => ring.shift(), InvariantError, "what is read from a ring is queued");
  ring.push(1);
  assertThrows(() => ring.at(1), InvariantError);
  assertThrows(() => ring.at(-1), InvariantError);
});
