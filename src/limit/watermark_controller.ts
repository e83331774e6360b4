/**
 * Whether a source may bring more, from how full the queue behind it is: the two marks of Storm's spouts, 0.9 and 0.4
 * of the queue. Between the marks it stays as it is, so that a queue at its mark does not switch it at every record.
 *
 * Storm 1 kept "off" until somebody said "on"; where that was lost a topology stood still for ever (STORM-2744). So
 * here "off" is a lease: each look at the queue that still finds it above the low mark renews it, and where nobody looks
 * any more it ends by itself.
 *
 * @module
 */

/** Where it switches. */
export interface WatermarkOptions {
  /** Off above this part of the queue; 0.9 when not given. */
  readonly high?: number;
  /** On again below this part of it; 0.4 when not given. */
  readonly low?: number;
  /** How long "off" holds that nobody renews, ms; 1000 when not given. */
  readonly leaseMs?: number;
}

/** The controller. Pure: the time is passed in, ms, and does not go back. */
export class WatermarkController {
  readonly #high: number;
  readonly #low: number;
  readonly #leaseMs: number;
  #offUntilMs = -Infinity;
  #off = false;
  #closings = 0;

  /**
   * On.
   * @throws {RangeError} the marks are not 0 <= low < high <= 1, or `leaseMs` is not above 0.
   */
  constructor({ high = 0.9, low = 0.4, leaseMs = 1000 }: WatermarkOptions = {}) {
    if (!(0 <= low && low < high && high <= 1)) {
      throw new RangeError(
        `WatermarkController: low (${low}) must be below high (${high}), both from 0 to 1`,
      );
    }
    if (!(leaseMs > 0)) {
      throw new RangeError(`WatermarkController: leaseMs must be above 0, but is ${leaseMs}`);
    }
    this.#high = high;
    this.#low = low;
    this.#leaseMs = leaseMs;
  }

  /** How often it was switched off. */
  get closings(): number {
    return this.#closings;
  }

  /** The queue is filled to this part of its limit, 0 to 1. */
  observe(level: number, nowMs: number): void {
    const wasOff = !this.isOpen(nowMs);
    this.#off = wasOff ? level > this.#low : level > this.#high;
    if (!this.#off) return;
    if (!wasOff) this.#closings++;
    this.#offUntilMs = nowMs + this.#leaseMs;
  }

  /** Whether the source may bring more. */
  isOpen(nowMs: number): boolean {
    return !this.#off || nowMs >= this.#offUntilMs;
  }

  /** When to look again at the latest, ms from now; 0 while it is on. */
  waitMs(nowMs: number): number {
    return this.isOpen(nowMs) ? 0 : this.#offUntilMs - nowMs;
  }
}
