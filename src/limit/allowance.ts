/**
 * One unit of a token bucket: in no window, of t seconds, is more spent than rate × t + burst.
 *
 * A bucket that adds `rate × elapsed` at every look, or moves a "theoretical arrival time" by `n / rate` at every take
 * (GCRA, ITU-T I.371), rounds each time, and over millions of takes the roundings add up. Here only whole numbers are
 * added: kept are an instant at which the bucket was exactly full, its anchor, and what was spent since. All questions
 * are of one form, whether elapsed × rate reaches so many units, and are answered without rounding: doubles round
 * monotonically, so only where the rounded product *equals* the bound does its error matter, and that is a double too
 * (Dekker 1971).
 *
 * What a double cannot hold is rounded to the late side: a span of two times of very different size, a new anchor.
 *
 * @module
 */

/** Largest rate and burst, about 2 × 10^12: a thousand times the sum of a few of them is still exact. */
export const MAX_AMOUNT = 2 ** 41;

/** The anchor moves on when this much was spent since, for the same reason. */
const MAX_SPENT = 2 ** 40;

/** More than what few roundings to 53 bits can be off by, relatively. */
const MARGIN = 2 ** -50;

/** Whole amounts of one unit, at a rate with a burst. The caller sees to it that `nowMs` never goes back. */
export class Allowance {
  /** Most that can be held. */
  burst: number;
  #perSecond: number;
  #anchorMs: number;
  #spent = 0;
  /** The part of `spent` that nobody got: the growth of a burst that was raised, and that is still to be earned. */
  #withheld = 0;

  /** Starts full. `perSecond` is above 0, `burst` whole and at least 1, both at most {@linkcode MAX_AMOUNT}. */
  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.burst = burst;
    this.#anchorMs = nowMs;
  }

  /** About what there is, with its fraction; below 0 while the fall of a burst that was lowered is paid off. */
  held(nowMs: number): number {
    const anchorMs = this.#anchorAt(nowMs);
    return this.burst - this.#spentSince(anchorMs) + (nowMs - anchorMs) * this.#perSecond / 1000;
  }

  /** Whether `amount` can be spent. */
  has(amount: number, nowMs: number): boolean {
    if (amount === 0) return true;
    const anchorMs = this.#anchorAt(nowMs);
    const missing = this.#spentSince(anchorMs) + amount - this.burst;
    return compareProduct(msBetween(anchorMs, nowMs, false), this.#perSecond, missing * 1000) >= 0;
  }

  /** When it will have `amount`, but for roundings. */
  aboutDueMs(amount: number): number {
    return this.#anchorMs + (this.#spent + amount - this.burst) * 1000 / this.#perSecond;
  }

  /** Spends `amount`, which is there. */
  spend(amount: number, nowMs: number): void {
    this.#settle(nowMs);
    // What has been earned by now is no longer withheld, though it is spent again.
    if (this.#withheld > 0) {
      const { earned, fraction } = this.#earnedAt(nowMs);
      this.#withheld = this.#stillWithheld(earned, fraction);
    }
    this.#spent += amount;
    if (this.#spent <= MAX_SPENT) return;
    this.#anchorMs = later(this.#anchorMs, this.#spent * 1000 / this.#perSecond);
    this.#spent = 0;
  }

  /**
   * From `nowMs` on another rate and burst. What is held never grows by this, and falls as far as the burst falls
   * below every burst since it was last full. So a window over any number of changes, up to its last take, takes at most
   * what is held at its start, less the falls, and what is earned: no more than its smallest burst and its largest rate
   * × its length.
   */
  change(perSecond: number, burst: number, nowMs: number): void {
    this.#settle(nowMs);
    const { earned, fraction } = this.#earnedAt(nowMs);
    const held = this.burst - this.#spent + earned;
    const withheld = this.#stillWithheld(earned, fraction);
    const fall = Math.max(0, this.burst - withheld - burst);
    this.#withheld = Math.max(0, withheld + burst - this.burst);
    this.#spent = burst - held + fall;
    this.#perSecond = perSecond;
    this.burst = burst;
    this.#anchorMs = nowMs - fraction / perSecond;
    if (compareProduct(msBetween(this.#anchorMs, nowMs, true), perSecond, fraction) > 0) {
      this.#anchorMs += (Math.abs(this.#anchorMs) + Math.abs(nowMs)) * MARGIN;
    }
  }

  /** What was earned since the anchor: whole, and the rest in thousandths, as all bounds here. */
  #earnedAt(nowMs: number): { earned: number; fraction: number } {
    const elapsedMs = msBetween(this.#anchorMs, nowMs, false);
    const product = elapsedMs * this.#perSecond;
    let earned = Math.floor(product / 1000);
    while (compareProduct(elapsedMs, this.#perSecond, earned * 1000) < 0) earned--;
    const error = productError(elapsedMs, this.#perSecond, product);
    return { earned, fraction: Math.max(0, product - earned * 1000 + Math.min(0, error) * (1 + MARGIN)) };
  }

  #stillWithheld(earned: number, fraction: number): number {
    return Math.min(this.#withheld, this.#spent - earned - (fraction > 0 ? 1 : 0));
  }

  #settle(nowMs: number): void {
    const anchorMs = this.#anchorAt(nowMs);
    this.#spent = this.#spentSince(anchorMs);
    this.#anchorMs = anchorMs;
    if (this.#spent === 0) this.#withheld = 0;
  }

  /** Moves on to `nowMs` when it is full then; where roundings leave that open, to when it will be. */
  #anchorAt(nowMs: number): number {
    const fullAt = this.#spent * 1000;
    if (compareProduct(msBetween(this.#anchorMs, nowMs, true), this.#perSecond, fullAt) < 0) {
      return this.#anchorMs;
    }
    const surelyMs = msBetween(this.#anchorMs, nowMs, false);
    return compareProduct(surelyMs, this.#perSecond, fullAt) >= 0 ? nowMs : later(this.#anchorMs, surelyMs);
  }

  #spentSince(anchorMs: number): number {
    return anchorMs === this.#anchorMs ? this.#spent : 0;
  }
}

/** Below, at or above 0 as `a` × `b`, not rounded, is below, at or above `bound`. */
function compareProduct(a: number, b: number, bound: number): number {
  const product = a * b;
  return product === bound ? productError(a, b, product) : product - bound;
}

/** What `a` × `b` is more than the double `product` nearest to it: both are split in halves whose products are exact. */
function productError(a: number, b: number, product: number): number {
  const highA = highHalf(a);
  const highB = highHalf(b);
  const lowA = a - highA;
  const lowB = b - highB;
  return highA * highB - product + highA * lowB + lowA * highB + lowA * lowB;
}

/** The upper 26 of 53 bits. */
function highHalf(value: number): number {
  const shifted = value * (2 ** 27 + 1);
  return shifted - (shifted - value);
}

/** The span between two times: exact where a double can hold it (Knuth's two-sum tells), else rounded `up` or down. */
function msBetween(fromMs: number, toMs: number, up: boolean): number {
  const ms = toMs - fromMs;
  const fromPart = toMs - ms;
  const error = (toMs - (ms + fromPart)) + (fromPart - fromMs);
  if (error === 0 || error > 0 !== up) return ms;
  return ms + (up ? Math.abs(ms) : -Math.abs(ms)) * MARGIN;
}

/** `afterMs` after `atMs`, or a little later, never earlier. */
function later(atMs: number, afterMs: number): number {
  return atMs + afterMs + (Math.abs(atMs) + Math.abs(afterMs)) * MARGIN;
}
