/** Ids as bytes are the ids as text. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { OwnIds } from "../../src/lane/own_ids.ts";

const fillSeq = fc.oneof(fc.nat(2000), fc.maxSafeNat());
const slot = fc.oneof(fc.constantFrom(0, 35, 36, 1295, 1296, 46_655, 46_656, 65_535), fc.nat(65_535));

Deno.test("OwnIds.write() writes what text() tells, whichever was asked for before, and nothing around it", () => {
  fc.assert(fc.property(
    fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => text.isWellFormed()),
    fc.array(fc.tuple(fillSeq, slot), { minLength: 1, maxLength: 8 }),
    (prefix, places) => {
      const ids = new OwnIds(prefix);
      for (const [seq, at] of places) {
        const expected = new TextEncoder().encode(ids.text(seq, at));
        const target = new Uint8Array(expected.length + 8);
        assertEquals(ids.write(seq, at, target, 5), expected.length);
        assertEquals([...target], [0, 0, 0, 0, 0, ...expected, 0, 0, 0]);
      }
    },
  ));
});

Deno.test("OwnIds.write() returns -1 where an id has no room, and writes nothing", () => {
  const ids = new OwnIds("gateway-");
  const length = ids.text(36, 36).length;
  const target = new Uint8Array(length + 2);
  assertEquals(ids.write(36, 36, target, 3), -1);
  assertEquals([...target], new Array(length + 2).fill(0));
  assertEquals(ids.write(36, 36, target, 2), length);
});
