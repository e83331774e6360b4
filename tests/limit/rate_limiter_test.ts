/** The rate holds on the average, and the next taker pays. @module */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { RateLimiter } from "../../src/limit/rate_limiter.ts";

Deno.test("RateLimiter.take() takes more than there is, and the next waits until that is earned", () => {
  const limiter = new RateLimiter(100, 0);
  assertEquals(limiter.waitMs(0), 0);
  limiter.take(1000, 0);
  assertEquals(limiter.waitMs(0), 10_000);
  assertEquals(limiter.waitMs(9_000), 1_000);
  assertEquals(limiter.waitMs(10_000), 0);
});

Deno.test("RateLimiter.take() finds what was not taken for a second, and no more", () => {
  const limiter = new RateLimiter(100, 0);
  limiter.take(100, 60_000);
  assertEquals(limiter.waitMs(60_000), 0);
  limiter.take(1, 60_000);
  assertEquals(limiter.waitMs(60_000), 10);
});

Deno.test("RateLimiter.setRate() lets what is owed be earned at the new rate", () => {
  const limiter = new RateLimiter(100, 0);
  limiter.take(1000, 0);
  limiter.setRate(1000, 1000);
  assertEquals(limiter.waitMs(1000), 900);
  limiter.setRate(10, 60_000);
  limiter.take(10, 60_000);
  assertEquals(limiter.waitMs(60_000), 0);
});

Deno.test("RateLimiter.oweAtMost() forgives what is not under way any more", () => {
  const limiter = new RateLimiter(100, 0);
  limiter.take(1000, 0);
  limiter.oweAtMost(200, 0);
  assertEquals(limiter.waitMs(0), 2000);
  limiter.oweAtMost(0, 0);
  assertEquals(limiter.waitMs(0), 0);
});

Deno.test("RateLimiter.waitMs() keeps who obeys it to the rate, a second's worth and one take", () => {
  const step = fc.record({ ms: fc.nat(3000), amount: fc.integer({ min: 1, max: 500 }) });
  fc.assert(fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
    const limiter = new RateLimiter(50, 0);
    let now = 0;
    let taken = 0;
    for (const { ms, amount } of steps) {
      now += ms;
      if (limiter.waitMs(now) > 0) continue;
      limiter.take(amount, now);
      taken += amount;
      assert(taken - amount <= 50 * (1 + now / 1000) + 1e-6, `${taken} at ${now} ms`);
    }
  }));
});

Deno.test("RateLimiter.waitMs() is when it is open", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 1e6 }), (rate, amount) => {
      const limiter = new RateLimiter(rate, 0);
      limiter.take(amount, 0);
      const waitMs = limiter.waitMs(0);
      assertAlmostEquals(limiter.waitMs(waitMs), 0, 1e-6);
    }),
  );
});
