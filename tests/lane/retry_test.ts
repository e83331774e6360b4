/** The wait before another try: doubled to a cap, spread by half, and kept to by the queue. @module */
import { assert, assertEquals } from "@std/assert";
import { backoffMs } from "../../src/lane/retry.ts";
import { seededRandom } from "../support/seeded_random.ts";

const POLICY = { initialMs: 100, maxMs: 3_000, maxAttempts: 0 };
/** The longest wait before each try. */
const CEILINGS = [100, 200, 400, 800, 1_600, 3_000, 3_000];

/** The waits before the first tries at one chance. */
function waits(chance: number): number[] {
  return CEILINGS.map((_, k) => backoffMs(POLICY, k + 1, () => chance));
}

Deno.test("backoffMs() doubles up to maxMs, and chance takes away up to half", () => {
  assertEquals(waits(1), CEILINGS);
  assertEquals(waits(0.5), CEILINGS.map((ceiling) => ceiling * 0.75));
  assertEquals(waits(0), CEILINGS.map((ceiling) => ceiling / 2));
});

Deno.test("backoffMs() stays at maxMs however often it was tried", () => {
  for (const attempt of [32, 1_000, 1e9]) assertEquals(backoffMs(POLICY, attempt, () => 1), 3_000);
});

Deno.test("backoffMs() spreads those that failed together over the whole range", () => {
  const random = seededRandom(3);
  const spread = Array.from({ length: 1_000 }, () => backoffMs(POLICY, 3, random));
  for (let tenth = 0; tenth < 10; tenth++) {
    const from = 200 + tenth * 20;
    const share = spread.filter((waitMs) => waitMs >= from && waitMs < from + 20).length;
    assert(share >= 50 && share <= 150, `${share} of 1,000 waits from ${from} to ${from + 20} ms`);
  }
  assert(spread.every((waitMs) => waitMs >= 200 && waitMs <= 400));
});
