/**
 * What all lanes of one sink share: its token bucket, its writes in flight, its throttle, its pause, and what is known
 * of its health. Lanes queue at the writers (`sink_writer.ts`), which ask here before each write.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { WriteControl } from "../limit/controllers.ts";
import type { Limits, TokenBucket } from "../limit/token_bucket.ts";
import type { WriteObserver } from "../limit/write_meter.ts";
import type { SinkState } from "../monitor/view.ts";
import type { Pressure } from "../sink/adapter.ts";
import { SinkAccount } from "./sink_account.ts";

/** A sink that asked for a pause no longer ago will ask for the next one: a broker's quota is reckoned over seconds. */
const BETWEEN_THROTTLES_MS = 5_000;

/** The shared gate of one sink. */
export class SinkGate {
  /** Name of the sink. */
  readonly sink: string;
  /** Writes in flight. */
  inFlight = 0;
  /** No write starts before this clock time. */
  throttleUntilMs = -Infinity;
  /** Last write, or opening, that the sink answered; -1 before. */
  lastSuccessMs = -1;
  /** When `state` was first seen as it is now. */
  stateSinceMs: number;
  /** Why it does not take records, when it does not. */
  reason = "";
  /** Called when the sink did not take what was tried. */
  onFailed: () => void = () => {};
  /** What belongs to the sink's name: its counts, and what its limit has given out. */
  readonly account: SinkAccount;
  /** Who learns from its writes how fast it is, or null. */
  readonly observer: WriteObserver | null;
  readonly #clock: Clock;
  readonly #downAfterMs: number;
  readonly #lazy: boolean;
  readonly #log: Logger;
  #wasToldDown = false;
  #paused = false;
  #tryingSinceMs = -1;
  #lastState: SinkState = "opening";
  /** Whether a limiter holds back a write that could start otherwise. */
  #limited = false;
  /** Until when one did, clock time. */
  #limitedUntilMs = -Infinity;
  /** Places of refused writes that rest. */
  readonly #resting: Set<Timer> = new Set();
  #wakers: (() => void)[] = [];
  #nextWaker = 0;
  #timer: Timer | null = null;
  #timerDueMs = 0;

  /**
   * `limits` are those of the token bucket, empty for none; `lazy` says that the sink is opened when it is first needed.
   * With a `predecessor`, which the gate takes the place of under the same name, the limits in force, the counts, what
   * its controller has found, a pause and a throttle go on.
   */
  constructor(options: {
    sink: string;
    clock: Clock;
    limits: Limits;
    control: WriteControl;
    downAfterMs: number;
    lazy?: boolean;
    observer?: WriteObserver;
    predecessor?: SinkGate;
    log: Logger;
  }) {
    this.sink = options.sink;
    this.#clock = options.clock;
    this.stateSinceMs = options.clock.nowMs();
    this.#downAfterMs = options.downAfterMs;
    this.#lazy = options.lazy ?? false;
    this.observer = options.observer ?? null;
    this.#log = options.log;
    const { predecessor } = options;
    this.account = predecessor?.account ??
      new SinkAccount(options.limits, options.control, options.clock.nowMs());
    if (predecessor === undefined) return;
    this.account.setControl(options.control);
    this.#paused = predecessor.#paused;
    this.throttleUntilMs = predecessor.throttleUntilMs;
  }

  /** Writes in flight that the controller allows. */
  get inFlightLimit(): number {
    return this.account.controller.limit;
  }

  /** The limits in force. */
  get limits(): Limits {
    return this.account.limits;
  }

  get #bucket(): TokenBucket | null {
    return this.account.bucket;
  }

  /** Tokens there are now; null without limit. */
  tokens(): { records: number; bytes: number } | null {
    return this.#bucket?.tokens(this.#clock.nowMs()) ?? null;
  }

  /** Most records that one write may have. */
  get maxRecords(): number {
    return this.#bucket?.maxRecords ?? Infinity;
  }

  /** Most bytes that one write may have. */
  get maxBytes(): number {
    return this.#bucket?.maxBytes ?? Infinity;
  }

  /** Changes the static limit while running. */
  setLimits(limits: Limits): void {
    this.account.setLimits(limits, this.#clock.nowMs());
    this.wake();
  }

  /** Whether an operator stopped the sink. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Stops (no new write starts) or restarts the sink. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#tryingSinceMs = -1;
    if (!paused) this.wake();
  }

  /** `wake` is called when a write may be possible again; returns how to stop that. */
  addWaker(wake: () => void): () => void {
    this.#wakers.push(wake);
    return () => {
      this.#wakers = this.#wakers.filter((other) => other !== wake);
    };
  }

  /** Whether a write could start now, tokens apart. Arms a timer when only time is missing. */
  mayWrite(): boolean {
    if (this.#paused) this.#limited = true;
    if (this.#paused || this.inFlight + this.#resting.size >= this.inFlightLimit) return false;
    const now = this.#clock.nowMs();
    if (now < this.throttleUntilMs) {
      this.#limited = true;
      this.#wakeIn(this.throttleUntilMs - now);
      return false;
    }
    return true;
  }

  /**
   * Keeps a place among the writes in flight empty for `pauseMs`: that of a write that was refused. A refusal comes much
   * sooner than an answer, so a write in its place would be refused next, and one after it, until the controller looks.
   */
  rest(pauseMs: number): void {
    const timer = this.#clock.setTimer(() => {
      this.#resting.delete(timer);
      this.wake();
    }, pauseMs);
    this.#resting.add(timer);
  }

  /** Takes tokens for a write; false arms a timer for when there are enough. */
  takeTokens(records: number, bytes: number): boolean {
    const bucket = this.#bucket;
    if (bucket === null) return true;
    const now = this.#clock.nowMs();
    // A batch that was formed under a larger limit, or one record beyond the byte burst, would wait for ever.
    const askRecords = Math.min(records, bucket.maxRecords);
    const askBytes = Math.min(bytes, bucket.maxBytes);
    if (bucket.take(askRecords, askBytes, now)) return true;
    this.#limited = true;
    this.#wakeIn(bucket.waitMs(askRecords, askBytes, now));
    return false;
  }

  /** Time until the bucket would give tokens for this much, ms. */
  tokenWaitMs(records: number, bytes: number): number {
    const bucket = this.#bucket;
    if (bucket === null) return 0;
    return bucket.waitMs(
      Math.min(records, bucket.maxRecords),
      Math.min(bytes, bucket.maxBytes),
      this.#clock.nowMs(),
    );
  }

  /** A write begins of records that could have been written since `readyAtMs`, had the sink had time and no limiter held them. */
  writing(readyAtMs: number): void {
    this.trying();
    const now = this.#clock.nowMs();
    if (this.#limited) this.#limitedUntilMs = now;
    this.#limited = false;
    this.observer?.started(now - Math.max(readyAtMs, this.#limitedUntilMs));
  }

  /** A write, or an opening, begins. */
  trying(): void {
    if (this.#tryingSinceMs < 0) this.#tryingSinceMs = this.#clock.nowMs();
  }

  /** The sink answered: it took records, or refused them one by one. */
  answered(): void {
    this.lastSuccessMs = this.#clock.nowMs();
    this.#tryingSinceMs = this.inFlight > 0 ? this.lastSuccessMs : -1;
    this.reason = "";
    if (!this.#wasToldDown) return;
    this.#wasToldDown = false;
    this.#log.info("sink is up again", { sink: this.sink });
  }

  /** The sink did not take what was tried. Told in the log once, when that makes it down. */
  failed(reason: string): void {
    this.reason = reason;
    this.onFailed();
    if (this.#wasToldDown || this.state !== "down") return;
    this.#wasToldDown = true;
    this.#log.warn("sink is down", { sink: this.sink, reason });
  }

  /** Whether it did not take what was tried last. */
  get isFailing(): boolean {
    return this.#tryingSinceMs >= 0 && this.reason !== "";
  }

  /** Whether it asks for pauses, now or a moment ago: what it takes comes in bursts between them. */
  get isThrottling(): boolean {
    return this.#clock.nowMs() < this.throttleUntilMs + BETWEEN_THROTTLES_MS;
  }

  /** What the sink said of its load. */
  press(pressure: Pressure): void {
    // Also false for what is no number, or no time that ends: an adapter may pass on what its sink sent.
    if (pressure.kind !== "throttle" || !(pressure.delayMs > 0 && pressure.delayMs < Infinity)) return;
    const until = this.#clock.nowMs() + pressure.delayMs;
    const added = until - Math.max(this.throttleUntilMs, this.#clock.nowMs());
    if (added <= 0) return;
    this.throttleUntilMs = until;
    this.account.throttleSeconds += added / 1000;
  }

  /** State for people and for admission. */
  get state(): SinkState {
    const state = this.#stateNow();
    if (state !== this.#lastState) {
      this.#lastState = state;
      this.stateSinceMs = this.#clock.nowMs();
    }
    return state;
  }

  #stateNow(): SinkState {
    if (this.#paused) return "paused";
    if (this.#tryingSinceMs >= 0 && this.#clock.nowMs() - this.#tryingSinceMs >= this.#downAfterMs) {
      return "down";
    }
    return this.lastSuccessMs < 0 && !this.#lazy ? "opening" : "up";
  }

  /** Lets every writer look again; the first to look changes each time, so that none is always last. */
  wake(): void {
    const wakers = this.#wakers;
    if (wakers.length === 0) return;
    const first = this.#nextWaker++ % wakers.length;
    for (let k = 0; k < wakers.length; k++) wakers[(first + k) % wakers.length]();
  }

  /** Forgets the timers. */
  close(): void {
    for (const timer of this.#resting) timer.cancel();
    this.#resting.clear();
    this.#timer?.cancel();
    this.#timer = null;
  }

  #wakeIn(delayMs: number): void {
    const dueMs = this.#clock.nowMs() + delayMs;
    if (this.#timer) {
      if (this.#timerDueMs <= dueMs) return;
      this.#timer.cancel();
    }
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null;
      this.wake();
    }, Math.min(delayMs, 60_000));
  }
}
