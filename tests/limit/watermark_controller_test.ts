/** Two marks, one edge each, and no "off" that outlives its lease. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WatermarkController } from "../../src/limit/watermark_controller.ts";

Deno.test("WatermarkController.observe() switches off above the high mark and on at the low one, and not between", () => {
  const marks = new WatermarkController();
  const seen = [0.5, 0.9, 0.91, 0.9, 0.41, 0.4, 0.41, 0.9, 1, 0.39].map((level, k) => {
    marks.observe(level, k);
    return marks.isOpen(k);
  });
  assertEquals(seen, [true, true, false, false, false, true, true, true, false, true]);
  assertEquals(marks.closings, 2);
});

Deno.test("WatermarkController.isOpen() is on again when the lease of an off ends that nobody renews", () => {
  const marks = new WatermarkController({ leaseMs: 1000 });
  marks.observe(1, 0);
  assertEquals([marks.isOpen(999), marks.waitMs(400)], [false, 600]);
  marks.observe(0.5, 600);
  assertEquals([marks.isOpen(1599), marks.waitMs(1000)], [false, 600]);
  assertEquals([marks.isOpen(1600), marks.waitMs(1600)], [true, 0]);
  // What is seen between the marks after that closes nothing.
  marks.observe(0.8, 1700);
  assert(marks.isOpen(1700));
});

Deno.test("WatermarkController.observe() is off only after a level above high with none at low since, for any levels", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 100 }), (levels) => {
      const marks = new WatermarkController({ high: 0.8, low: 0.3 });
      let off = false;
      levels.forEach((level, k) => {
        marks.observe(level, k);
        off = level > 0.8 || (off && level > 0.3);
        assertEquals(marks.isOpen(k), !off);
      });
    }),
  );
});

Deno.test("WatermarkController() refuses marks in the wrong order, and a lease of nothing", () => {
  for (const marks of [{ high: 0.4 }, { low: 0.9 }, { high: 1.1 }, { low: -0.1 }, { high: NaN }]) {
    assertThrows(() => new WatermarkController(marks), RangeError, "must be below high");
  }
  assertThrows(
    () => new WatermarkController({ leaseMs: 0 }),
    RangeError,
    "leaseMs must be above 0, but is 0",
  );
});
