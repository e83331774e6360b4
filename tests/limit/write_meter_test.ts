/** What the meter makes of writes that are full, and of those that are not. @module */
import { assertEquals } from "@std/assert";
import { WriteMeter } from "../../src/limit/write_meter.ts";

Deno.test("WriteMeter.sample() measures full writes by their time, divided by those that may be under way", () => {
  const meter = new WriteMeter(4, 0);
  for (let k = 0; k < 40; k++) meter.ended(1000, 100, 1);
  assertEquals(meter.sample(null, 1000), {
    atMs: 1000,
    records: 40_000,
    processingMs: 1000,
    schedulingDelayMs: 0,
  });
  assertEquals(meter.sample(null, 2500), null);
});

Deno.test("WriteMeter.sample() waits for a second and for records", () => {
  const meter = new WriteMeter(1, 0);
  meter.ended(10, 100, 1);
  assertEquals(meter.sample(null, 999), null);
  assertEquals(meter.sample(null, 1000)?.records, 10);
  meter.ended(0, 100, 1);
  assertEquals(meter.sample(null, 5000), null);
  meter.ended(10, 100, 1);
  assertEquals(meter.sample(null, 5001)?.processingMs, 200);
});

Deno.test("WriteMeter.sample() counts of a write that was not full the part that was filled, and at most doubles what is known", () => {
  const meter = new WriteMeter(1, 0);
  const half = () => meter.ended(500, 500, 0.5);
  half();
  half();
  assertEquals(meter.sample(null, 1000)?.processingMs, 500);
  half();
  half();
  assertEquals(meter.sample(1500, 2000)?.processingMs, 500);
  // 1,000 records a second would be more than twice 400, and more than twice the 250 of these two seconds.
  half();
  assertEquals(meter.sample(400, 4000)?.processingMs, 625);
  // What it did take in one second is twice that, so the rate before does not hold it back.
  half();
  half();
  assertEquals(meter.sample(400, 5000)?.processingMs, 500);
});

Deno.test("WriteMeter.sample() follows full writes however much faster they have become", () => {
  const meter = new WriteMeter(1, 0);
  meter.ended(1000, 100, 1);
  assertEquals(meter.sample(100, 1000)?.processingMs, 100);
});

Deno.test("WriteMeter.sample() tells how long writes had waited, on the average", () => {
  const meter = new WriteMeter(1, 0);
  meter.started(0);
  meter.started(300);
  meter.ended(1, 1, 1);
  assertEquals(meter.sample(null, 1000)?.schedulingDelayMs, 150);
});
