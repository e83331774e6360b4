/** A plan by the steady rate outlives a short pause of the other. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { SteadyRate } from "../../src/limit/steady_rate.ts";

Deno.test("SteadyRate.follow() begins with the first rate, and hardly sees a short dip", () => {
  const steady = new SteadyRate(3_000);
  assertEquals(steady.follow(0, 0), 0);
  assertEquals(steady.follow(1_000, 50_000), 1_000);
  assertAlmostEquals(steady.follow(0, 50_100), 967, 1);
  assertAlmostEquals(steady.follow(1_000, 50_200), 968, 1);
});

Deno.test("SteadyRate.follow() has gone two thirds of the way after settleMs, however often it was looked at", () => {
  for (const looks of [1, 10, 100]) {
    const steady = new SteadyRate(3_000);
    steady.follow(1_000, 0);
    let rate = 0;
    for (let i = 1; i <= looks; i++) rate = steady.follow(0, 3_000 * i / looks);
    assertAlmostEquals(rate, 1_000 / Math.E, 1e-6);
  }
});
