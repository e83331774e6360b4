import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvariantError } from "../../src/core/assert.ts";
import { Histogram, mergeHistograms, quantile } from "../../src/monitor/histogram.ts";

Deno.test("Histogram.observe() puts a value that equals a bound into that bound's bucket", () => {
  const histogram = new Histogram([1, 2]);
  for (const value of [0, 1, 1.5, 2, 2.1, Infinity]) histogram.observe(value);
  assertEquals(histogram.snapshot().counts, [2, 2, 2]);
});

Deno.test("Histogram.observe() with a weight is as that many observations", () => {
  const weighted = new Histogram([1, 2]);
  const single = new Histogram([1, 2]);
  weighted.observe(1.5, 3);
  for (let i = 0; i < 3; i++) single.observe(1.5);
  assertEquals(weighted.snapshot(), single.snapshot());
});

Deno.test("Histogram() refuses bounds that do not rise and values that are no numbers", () => {
  assertThrows(() => new Histogram([2, 2]), InvariantError, "rise");
  assertThrows(() => new Histogram([]), InvariantError, "rise");
  assertThrows(() => new Histogram([1]).observe(NaN), InvariantError, "numbers");
});

Deno.test("Histogram.snapshot() is not changed by what comes later", () => {
  const histogram = new Histogram([1]);
  const before = histogram.snapshot();
  histogram.observe(0.5);
  assertEquals(before.counts, [0, 0]);
});

Deno.test("Histogram counts as a sorted list would, for any bounds and values", () => {
  fc.assert(fc.property(
    fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 12 }),
    fc.array(fc.integer({ min: -60, max: 60 })),
    (unsorted, values) => {
      const bounds = unsorted.sort((a, b) => a - b);
      const histogram = new Histogram(bounds);
      for (const value of values) histogram.observe(value);
      const { counts, count, sum } = histogram.snapshot();
      let upTo = 0;
      bounds.forEach((bound, i) => {
        upTo += counts[i];
        assertEquals(upTo, values.filter((value) => value <= bound).length);
      });
      assertEquals(count, values.length);
      assertEquals(sum, values.reduce((a, b) => a + b, 0));
    },
  ));
});

Deno.test("mergeHistograms() adds, and refuses other bounds", () => {
  const a = new Histogram([1, 2]);
  const b = new Histogram([1, 2]);
  a.observe(0.5);
  b.observe(3, 2);
  assertEquals(mergeHistograms(a.snapshot(), b.snapshot()), {
    bounds: [1, 2],
    counts: [1, 0, 2],
    sum: 6.5,
    count: 3,
  });
  assertThrows(
    () => mergeHistograms(a.snapshot(), new Histogram([1, 3]).snapshot()),
    InvariantError,
    "same bounds",
  );
});

Deno.test("quantile() interpolates as Prometheus does, caps at the last bound, and is null when empty", () => {
  const histogram = new Histogram([1, 2, 4]);
  assertEquals(quantile(histogram.snapshot(), 0.5), null);
  histogram.observe(1.5, 10);
  assertAlmostEquals(quantile(histogram.snapshot(), 0.5)!, 1.5);
  histogram.observe(100, 90);
  assertEquals(quantile(histogram.snapshot(), 0.99), 4);
});
