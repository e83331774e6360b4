/** The meter reads bursts and the pauses between them as one flow. @module */
import { assert, assertEquals } from "@std/assert";
import { BurstRate } from "../../src/limit/burst_rate.ts";

const WRITE_MS = 5;

/** Bursts of `perBurst` in writes of 1, one every `everyMs`, from 0 to `toMs`; `look` sees each moment. */
function bursts(
  meter: BurstRate,
  perBurst: number,
  everyMs: number,
  toMs: number,
  look: (ms: number) => void,
) {
  for (let ms = 0; ms < toMs; ms += WRITE_MS) {
    if (ms % everyMs < perBurst * WRITE_MS) meter.record(1, ms);
    look(ms);
  }
}

Deno.test("BurstRate.rate() is that of bursts and pauses together, in a burst as in a pause", () => {
  const meter = new BurstRate(0);
  bursts(meter, 30, 1000, 30_000, (ms) => {
    if (ms < 6000) return;
    assert(meter.rate(ms) > 30 / 1.4 && meter.rate(ms) < 30 * 1.4, `${meter.rate(ms)} at ${ms} ms`);
  });
});

Deno.test("BurstRate.rate() reckons with the first pause while it lasts", () => {
  const meter = new BurstRate(0);
  bursts(meter, 30, 1000, 900, () => {});
  assert(meter.rate(900) > 25 && meter.rate(900) < 50, `${meter.rate(900)}`);
});

Deno.test("BurstRate.resume() takes the time without work out of the reading", () => {
  const meter = new BurstRate(0);
  bursts(meter, 30, 1000, 10_000, () => {});
  meter.resume(60_000);
  assert(meter.rate(60_000) > 20, `${meter.rate(60_000)} after the pause`);
});

Deno.test("BurstRate.rate() is 0 before anything has drained", () => {
  const meter = new BurstRate(0);
  assertEquals([meter.rate(0), meter.rate(1000)], [0, 0]);
});
