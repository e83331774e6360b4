/** The meter reads slow and fast flows alike, and sees a stall. @module */
import { assert, assertEquals } from "@std/assert";
import { RateMeter } from "../../src/limit/rate_meter.ts";
import { seededRandom } from "../support/seeded_random.ts";

/** Records `amount` each `everyMs` from `fromMs` (not included) to `toMs`. */
function flow(meter: RateMeter, fromMs: number, toMs: number, everyMs: number, amount: number): void {
  for (let atMs = fromMs + everyMs; atMs <= toMs; atMs += everyMs) meter.record(amount, atMs);
}

function assertNear(actual: number, expected: number, tolerance: number): void {
  assert(
    Math.abs(actual - expected) <= expected * tolerance,
    `${actual} is not within ${tolerance} of ${expected}`,
  );
}

Deno.test("RateMeter.rate() is right at one a second and at a million, and between two records", () => {
  for (
    const [everyMs, amount] of [[1000, 1], [250, 1], [100, 1], [10, 1], [1, 1000], [0.25, 250], [1500, 3000]]
  ) {
    const meter = new RateMeter(0);
    flow(meter, 0, 12_000, everyMs, amount);
    for (const share of [0, 0.3, 0.9]) {
      assertNear(meter.rate(12_000 + everyMs * share), amount / everyMs * 1000, 0.05);
    }
  }
});

Deno.test("RateMeter.rate() does not lean to short gaps where records come by chance", () => {
  const random = seededRandom(7);
  const meter = new RateMeter(0);
  let sum = 0;
  let nextMs = 0;
  for (let atMs = 0; atMs < 2_000_000; atMs += 100) {
    for (; nextMs < atMs; nextMs += -Math.log(1 - random()) * 100) meter.record(1, nextMs);
    sum += meter.rate(atMs);
  }
  assertNear(sum / 20_000, 10, 0.15);
});

Deno.test("RateMeter.rate() falls with the length of a stall", () => {
  const meter = new RateMeter(0);
  flow(meter, 0, 5000, 1, 1000);
  assertNear(meter.rate(5050), 1e6, 0.01);
  assert(meter.rate(6000) <= 2000, `${meter.rate(6000)} after 1 s`);
  assert(meter.rate(65_000) <= 20, `${meter.rate(65_000)} after 1 min`);
  assert(meter.rate(65_000) > 0);
});

Deno.test("RateMeter.rate() is back within a second of flow, after a minute's stall", () => {
  const meter = new RateMeter(0);
  flow(meter, 0, 5000, 1, 1);
  flow(meter, 65_000, 66_000, 1, 1);
  assertNear(meter.rate(66_000), 1000, 0.15);
});

Deno.test("RateMeter.rate() follows a change of the flow within a second", () => {
  const meter = new RateMeter(0);
  flow(meter, 0, 5000, 1, 1000);
  flow(meter, 5000, 6000, 1, 10);
  assertNear(meter.rate(6000), 1e4, 4);
  flow(meter, 6000, 7500, 1, 10);
  assertNear(meter.rate(7500), 1e4, 0.1 * 2.5);
});

Deno.test("RateMeter.rate() is 0 before anything has drained", () => {
  const meter = new RateMeter(0);
  assertEquals(meter.rate(0), 0);
  assertEquals(meter.rate(10_000), 0);
});

Deno.test("RateMeter.resume() takes the time without work out of the reading", () => {
  const meter = new RateMeter(0);
  flow(meter, 0, 5000, 10, 1);
  meter.resume(60_000);
  assertEquals(meter.stalledMs(60_000), 0);
  assertNear(meter.rate(60_000), 100, 0.01);
  flow(meter, 60_000, 60_200, 10, 1);
  assertNear(meter.rate(60_200), 100, 0.1);
});

Deno.test("RateMeter.stalledMs() counts from the last record, or from the begin", () => {
  const meter = new RateMeter(100);
  assertEquals(meter.stalledMs(350), 250);
  meter.record(1, 400);
  assertEquals(meter.stalledMs(400), 0);
  assertEquals(meter.stalledMs(1400), 1000);
  assertEquals(meter.stalledMs(399), 0);
});

Deno.test("RateMeter.rate() of a flow that ended falls to 0, and not to a number of thirty digits behind the point", () => {
  // Samples of 0 were once told as 1e-32 records a second.
  const meter = new RateMeter(0);
  flow(meter, 0, 5_000, 100, 50);
  flow(meter, 5_000, 6_000, 100, 0);
  assert(meter.rate(6_000) > 0);
  flow(meter, 6_000, 30_000, 100, 0);
  assertEquals(meter.rate(30_000), 0);
});
