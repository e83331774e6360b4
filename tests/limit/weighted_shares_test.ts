/** Shares by weight, and nothing idle while someone wants more. @module */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { weightedShares } from "../../src/limit/weighted_shares.ts";

const ALL = Infinity;

Deno.test("weightedShares() divides by weight among those who want all", () => {
  assertEquals(weightedShares(400, [{ weight: 3, demand: ALL }, { weight: 1, demand: ALL }]), [300, 100]);
});

Deno.test("weightedShares() leaves the rest of who wants less to the others", () => {
  assertEquals(
    weightedShares(400, [
      { weight: 2, demand: 50 },
      { weight: 1, demand: ALL },
      { weight: 1, demand: 160 },
    ]),
    [50, 190, 160],
  );
});

Deno.test("weightedShares() divides what nobody wants by weight", () => {
  assertEquals(weightedShares(400, [{ weight: 1, demand: 0 }, { weight: 3, demand: 40 }]), [90, 310]);
  assertEquals(weightedShares(400, []), []);
});

Deno.test("weightedShares() gives all of the total, and nobody less than it wants or its part by weight", () => {
  const claim = fc.record({
    weight: fc.integer({ min: 1, max: 1000 }),
    demand: fc.oneof(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.constant(ALL)),
  });
  fc.assert(fc.property(
    fc.array(claim, { minLength: 1, maxLength: 12 }),
    fc.double({ min: 1, max: 1e6, noNaN: true }),
    (claims, total) => {
      const shares = weightedShares(total, claims);
      const weights = claims.reduce((sum, { weight }) => sum + weight, 0);
      assertAlmostEquals(shares.reduce((sum, share) => sum + share, 0), total, total * 1e-9);
      claims.forEach(({ weight, demand }, k) => {
        const least = Math.min(demand, total * weight / weights);
        assert(shares[k] >= least * (1 - 1e-9), `${shares[k]} of at least ${least}`);
      });
    },
  ));
});
