/**
 * The `FakeTime` of Deno's standard library, over fake-timers: for code that reads the global clock itself, as
 * libraries do. Our own stages take a `Clock`, and are tested with `ManualClock`.
 *
 * `Date`, `setTimeout`, `setInterval` and their `clear` functions are replaced, as there; `performance` is not.
 *
 * @module
 */
import FakeTimers from "@sinonjs/fake-timers";

const realSetTimeout = globalThis.setTimeout;

/** Replaces the global timers until `restore`, and moves their time by hand. */
export class FakeTime {
  readonly #clock: ReturnType<typeof FakeTimers.install>;
  #restored = false;
  /** Milliseconds since 1970 at which it began. */
  readonly start: number;

  /** Begins at `start`, by default now. Throws when time is faked already. */
  constructor(start: number | string | Date = Date.now()) {
    this.start = new Date(start).valueOf();
    if (Number.isNaN(this.start)) {
      throw new TypeError(`Cannot fake time: start must be a date, but is ${start}`);
    }
    this.#clock = FakeTimers.install({
      now: this.start,
      toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
    });
  }

  /** Milliseconds since 1970. */
  get now(): number {
    return this.#clock.now;
  }

  /** Moves on to `value`, running the timers that come due. Throws RangeError when that lies in the past. */
  set now(value: number) {
    if (value < this.now) {
      throw new RangeError(`Cannot set time back: it is ${this.now}, and ${value} is earlier`);
    }
    this.tick(value - this.now);
  }

  /** Moves on by `ms`, running the timers that come due. */
  tick(ms = 0): void {
    this.#clock.tick(ms);
  }

  /** Lets promises settle, then moves on by `ms`, and lets them settle again. */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.tick(ms);
    await this.runMicrotasks();
  }

  /** Moves on to the next timer and runs it. False when there is none. */
  next(): boolean {
    if (this.#clock.countTimers() === 0) return false;
    this.#clock.next();
    return true;
  }

  /** Lets every promise settle that can without time moving on. */
  async runMicrotasks(): Promise<void> {
    await new Promise<void>((resolve) => void realSetTimeout(resolve, 0));
  }

  /** Brings the real timers back. Throws when they are back already. */
  restore(): void {
    if (this.#restored) throw new Error("Cannot restore time: it is restored already");
    this.#restored = true;
    this.#clock.uninstall();
  }

  /** Brings the real timers back, where `restore` did not yet. */
  [Symbol.dispose](): void {
    if (!this.#restored) this.restore();
  }
}
