/** The bucket never gives more than it promises, and hardly less. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Limits, TokenBucket } from "../../src/limit/token_bucket.ts";

/** What was taken, and when. */
interface Take {
  readonly atMs: number;
  readonly amount: number;
}

/** The worst window's excess over `perSecond` × its length + `burst`, in units. */
function excess(takes: readonly Take[], perSecond: number, burst: number): number {
  let worst = -Infinity;
  // A window is worst when it begins and ends with a take: one pass over the ends, the best begin so far beside it.
  let sum = 0;
  let best = Infinity;
  for (const { atMs, amount } of takes) {
    const earned = (atMs - takes[0].atMs) * perSecond / 1000;
    best = Math.min(best, sum - earned);
    sum += amount;
    worst = Math.max(worst, sum - earned - best - burst);
  }
  return worst;
}

/** The arithmetic of {@linkcode excess} itself rounds. */
function tolerance(takes: readonly Take[]): number {
  return 1e-12 * takes.reduce((sum, { amount }) => sum + amount, 1);
}

const perSecond = fc.oneof(
  fc.double({ min: 0.5, max: 1e9, noNaN: true }),
  fc.constantFrom(0.5, 1, 3, 10, 1000 / 3, 1e3, 1e6, 1e9),
);
const startMs = fc.constantFrom(0, 0.1, 12_345.678, 1e9, 1.7e12);

Deno.test("TokenBucket.take() exceeds rate × t + burst in no window, whatever the clock does", () => {
  const step = fc.record({
    moveMs: fc.oneof(
      fc.constant(0),
      fc.double({ min: -5, max: 50, noNaN: true }),
      fc.integer({ min: -200, max: 3000 }),
    ),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    wait: fc.boolean(),
  });
  fc.assert(fc.property(
    perSecond,
    fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }),
    startMs,
    fc.array(step, { minLength: 1, maxLength: 120 }),
    (rate, burst, start, steps) => {
      const bucket = new TokenBucket({ recordsPerSecond: rate, burstRecords: burst }, start);
      const takes: Take[] = [];
      let nowMs: number = start;
      let latestMs: number = start;
      for (const { moveMs, share, wait } of steps) {
        nowMs += moveMs;
        const amount = Math.max(1, Math.floor(bucket.maxRecords * share));
        if (wait) nowMs += bucket.waitMs(amount, 0, nowMs);
        if (!bucket.take(amount, 0, nowMs)) continue;
        latestMs = Math.max(latestMs, nowMs);
        takes.push({ atMs: latestMs, amount });
      }
      if (takes.length > 0) assert(excess(takes, rate, bucket.maxRecords) <= tolerance(takes));
    },
  ));
});

Deno.test("TokenBucket.waitMs() is enough: a take after exactly that wait gets it, one a little earlier does not", () => {
  fc.assert(fc.property(
    perSecond,
    fc.integer({ min: 1, max: 1000 }),
    startMs,
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 50 }),
    (rate, burst, start, shares) => {
      const bucket = new TokenBucket({ bytesPerSecond: rate, burstBytes: burst }, start);
      let nowMs: number = start;
      for (const share of shares) {
        const bytes = Math.max(1, Math.floor(burst * share));
        const waitMs = bucket.waitMs(0, bytes, nowMs);
        const tickMs = 1e-6 + nowMs * 1e-14;
        if (waitMs > tickMs) {
          assert(!bucket.take(0, bytes, nowMs + waitMs - tickMs), "the wait was longer than needed");
        }
        nowMs += waitMs;
        assert(bucket.take(0, bytes, nowMs), `${bytes} bytes after ${waitMs} ms`);
      }
    },
  ));
});

Deno.test("TokenBucket.take() reaches 98 % of the rate when the caller waits as told", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0.5, 3, 700, 1e4, 1e6, 1e9),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      fc.constantFrom(0, 3.7, 1e7),
      (rate, share, start) => {
        const bucket = new TokenBucket({ recordsPerSecond: rate }, start);
        const amount = Math.max(1, Math.floor(bucket.maxRecords * share));
        const windowMs = Math.max(10_000, 100 * amount / rate * 1000);
        let nowMs: number = start;
        let taken = 0;
        while (nowMs < start + windowMs) {
          nowMs += bucket.waitMs(amount, 0, nowMs);
          if (nowMs > start + windowMs) break;
          assert(bucket.take(amount, 0, nowMs));
          taken += amount;
        }
        assert(taken >= 0.98 * rate * windowMs / 1000, `${taken} in ${windowMs} ms`);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("TokenBucket.take() has not drifted after three million takes at a rate that no double can hold", () => {
  const rate = 1e6 / 3;
  const bucket = new TokenBucket({ recordsPerSecond: rate, burstRecords: 7 }, 0.1);
  let nowMs = 0.1;
  let taken = 0;
  for (; taken < 3e6; taken++) {
    nowMs += bucket.waitMs(1, 0, nowMs);
    assert(bucket.take(1, 0, nowMs));
  }
  const allowed = (nowMs - 0.1) * rate / 1000 + 7;
  assert(taken <= allowed && taken > allowed - 1.01, `${taken} of ${allowed}`);
});

Deno.test("TokenBucket.take() is not late: where the clock can show the instant, it is that one", () => {
  for (const [rate, everyMs] of [[10, 100], [3, 1000 / 3], [0.5, 2000], [1e9, 0.125], [640, 1.5625]]) {
    const amount = Math.round(rate * everyMs / 1000);
    const bucket = new TokenBucket({ recordsPerSecond: rate, burstRecords: amount }, 0);
    for (let turn = 0; turn < 500; turn++) {
      const late = rate === 3 ? 1e-9 : 0; // a third of a second is no double
      assert(bucket.take(amount, 0, turn * everyMs + late * turn), `turn ${turn} at ${rate}/s`);
    }
  }
});

Deno.test("TokenBucket.take() stays exact over sums beyond what the anchor keeps", () => {
  const bucket = new TokenBucket({ bytesPerSecond: 2 ** 38 }, 0);
  let nowMs = 0;
  let taken = 0;
  for (let take = 0; take < 64; take++) {
    nowMs += bucket.waitMs(0, 2 ** 37, nowMs);
    assert(bucket.take(0, 2 ** 37, nowMs));
    taken += 2 ** 37;
  }
  const allowed = nowMs / 1000 * 2 ** 38 + 2 ** 38;
  assert(taken <= allowed && taken > allowed * (1 - 1e-9));
});

Deno.test("TokenBucket.take() takes both units or none", () => {
  const bucket = new TokenBucket({ recordsPerSecond: 10, bytesPerSecond: 100 }, 0);
  assert(!bucket.take(5, 101, 0));
  assert(!bucket.take(11, 50, 0));
  assertEquals(bucket.tokens(0), { records: 10, bytes: 100 });
  assert(bucket.take(10, 100, 0));
  assertEquals(bucket.waitMs(1, 50, 0), 500);
  assert(!bucket.take(1, 50, 499.999));
  assert(bucket.take(1, 50, 500));
});

Deno.test("TokenBucket.take() earns nothing while the clock is behind a take, and goes on from there", () => {
  const bucket = new TokenBucket({ recordsPerSecond: 10 }, 1000);
  assert(bucket.take(10, 0, 1000));
  assert(bucket.take(5, 0, 1500));
  assert(!bucket.take(1, 0, 1200));
  bucket.setLimits({ recordsPerSecond: 10, burstRecords: 5 }, 1200);
  assertEquals(bucket.waitMs(1, 0, 1200), 900);
  assert(bucket.take(1, 0, 1200 + bucket.waitMs(1, 0, 1200)));
});

Deno.test("TokenBucket.setLimits() at a clock that stepped back does not earn the same time again", () => {
  const bucket = new TokenBucket({ recordsPerSecond: 10 }, 0);
  assert(bucket.take(10, 0, 0) && bucket.take(5, 0, 500));
  bucket.setLimits({ recordsPerSecond: 1000, burstRecords: 10 }, 200);
  assert(!bucket.take(1, 0, 500));
  assert(bucket.take(1, 0, 501));
});

Deno.test("TokenBucket.take() is not early by the rounding of a product", () => {
  const bucket = new TokenBucket({ recordsPerSecond: 3, burstRecords: 1 }, 0);
  assert(bucket.take(1, 0, 0));
  const justBelow = 1000 / 3; // the double below; times 3 it rounds to 1000
  assertEquals(justBelow * 3, 1000);
  assert(!bucket.take(1, 0, justBelow));
  assert(bucket.take(1, 0, justBelow + 2 ** -44));
});

Deno.test("TokenBucket.fits() and waitMs() tell what can never be taken", () => {
  const bucket = new TokenBucket({ recordsPerSecond: 1.5, bytesPerSecond: 0.5 }, 0);
  assertEquals([bucket.maxRecords, bucket.maxBytes], [1, 1]);
  assert(!bucket.fits(2, 0) && !bucket.take(2, 0, 1e6));
  assertEquals(bucket.waitMs(2, 0, 0), Infinity);
  const free = new TokenBucket({}, 0);
  assert(free.fits(1e12, 1e12) && free.take(1e12, 1e12, 0));
  assertEquals(free.tokens(0), { records: Infinity, bytes: Infinity });
});

Deno.test("TokenBucket.setLimits() never lets a window exceed the larger of its promises", () => {
  const limits = fc.record({ rate: perSecond, burst: fc.integer({ min: 1, max: 2000 }) });
  const step = fc.record({
    moveMs: fc.double({ min: 0, max: 400, noNaN: true }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    other: fc.integer({ min: 0, max: 8 }),
  });
  fc.assert(fc.property(
    fc.array(limits, { minLength: 2, maxLength: 4 }),
    startMs,
    fc.array(step, { maxLength: 60 }),
    (promises, start, steps) => {
      const of = (index: number): Limits => ({
        recordsPerSecond: promises[index].rate,
        burstRecords: promises[index].burst,
      });
      let current = 0;
      const bucket = new TokenBucket(of(0), start);
      // What any window could earn under the limits that were really in force, and the smallest burst in it.
      const events: { earned: number; taken: number; burst: number; isTake: boolean }[] = [];
      let nowMs: number = start;
      let earned = 0;
      let taken = 0;
      const note = (isTake = false) => events.push({ earned, taken, burst: promises[current].burst, isTake });
      for (const { moveMs, share, other } of steps) {
        const before = nowMs;
        nowMs += moveMs;
        earned += (nowMs - before) * promises[current].rate / 1000;
        if (other < promises.length) {
          note();
          current = other;
          bucket.setLimits(of(current), nowMs);
          note();
        }
        for (let retry = 0; retry < 2; retry++) {
          const amount = Math.max(1, Math.floor(bucket.maxRecords * share));
          note();
          if (!bucket.take(amount, 0, nowMs)) continue;
          taken += amount;
          note(true);
        }
      }
      for (let from = 0; from < events.length; from++) {
        let burst = Infinity;
        for (let to = from; to < events.length; to++) {
          burst = Math.min(burst, events[to].burst);
          if (!events[to].isTake) continue;
          const over = events[to].taken - events[from].taken - (events[to].earned - events[from].earned) -
            burst;
          assert(over <= 1e-9 * (1 + earned), `window ${from}..${to} takes ${over} too many`);
        }
      }
    },
  ));
});

Deno.test("TokenBucket.setLimits() to less falls alike whether a burst was large from the start or has been earned since", () => {
  const low: Limits = { recordsPerSecond: 10, burstRecords: 10 };
  const high: Limits = { recordsPerSecond: 1000, burstRecords: 1000 };
  const always = new TokenBucket(high, 980);
  assert(always.take(10, 0, 980));
  const raised = new TokenBucket(low, 0);
  raised.setLimits(high, 0);
  for (const bucket of [always, raised]) {
    assert(bucket.take(900, 0, 980));
    bucket.setLimits(low, 980);
    assertEquals(bucket.waitMs(1, 0, 980), bucket === always ? 90_100 : 89_100);
  }
});

Deno.test("TokenBucket.setLimits() keeps what was taken, and going back and forth neither mints nor burns", () => {
  const low: Limits = { recordsPerSecond: 10, burstRecords: 10 };
  const high: Limits = { recordsPerSecond: 10, burstRecords: 1000 };
  const bucket = new TokenBucket(low, 0);
  assert(bucket.take(8, 0, 0));
  for (let times = 0; times < 50; times++) {
    bucket.setLimits(high, 0);
    assertEquals(Math.round(bucket.tokens(0).records * 1e6) / 1e6, 2);
    bucket.setLimits(low, 0);
  }
  assertEquals(Math.round(bucket.tokens(0).records * 1e6) / 1e6, 2);
  assertEquals(Math.round(bucket.tokens(500).records * 1e6) / 1e6, 7);
});

Deno.test("TokenBucket.setLimits() does not starve a slow bucket by rounding at each of many changes", () => {
  const bucket = new TokenBucket({ recordsPerSecond: 0.5 }, 0);
  assert(bucket.take(1, 0, 0));
  for (let nowMs = 1; nowMs < 2000; nowMs++) bucket.setLimits({ recordsPerSecond: 0.5 }, nowMs);
  assert(!bucket.take(1, 0, 1999.999));
  assert(bucket.take(1, 0, 2000.000001));
});

Deno.test("TokenBucket refuses limits and amounts that it could not keep, with the rule and the value", () => {
  assertThrows(
    () => new TokenBucket({ recordsPerSecond: 0 }, 0),
    RangeError,
    "recordsPerSecond must be above 0",
  );
  assertThrows(() => new TokenBucket({ bytesPerSecond: NaN }, 0), RangeError, "got NaN");
  assertThrows(
    () => new TokenBucket({ bytesPerSecond: 1, burstBytes: 0.5 }, 0),
    RangeError,
    "burstBytes must be a whole",
  );
  const bucket = new TokenBucket({ recordsPerSecond: 5 }, 0);
  assertThrows(() => bucket.setLimits({ recordsPerSecond: -1 }, 0), RangeError, "got -1");
  assertEquals(bucket.limits, { recordsPerSecond: 5 });
  assertThrows(() => bucket.take(0.5, 0, 0), RangeError, "records must be a whole number");
  assertThrows(() => bucket.take(1, -1, 0), RangeError, "bytes must be a whole number");
});
