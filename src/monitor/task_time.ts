/**
 * Where a task's time goes, as Flink accounts it (`TimerGauge`): every moment is idle, busy or back-pressured, and
 * exactly one of them, so the three always add up to the time that passed.
 *
 * Nothing ticks: a span is booked when it ends or when somebody looks, split over the 5 s slots that it crosses. An
 * idle gateway therefore does no work to say that it is idle.
 *
 * @module
 */
import { assert } from "../core/assert.ts";

/** What a task does with a moment. Numbers, because they index the accounts. */
export const TaskState = {
  /** Nothing to do: no input. */
  IDLE: 0,
  /** Working, or waiting for a sink's answer or for tokens. */
  BUSY: 1,
  /** Has input, and waits for credit or buffers; it wins when input is missing too. */
  BACK_PRESSURED: 2,
} as const;
/** One of {@linkcode TaskState}. */
export type TaskState = (typeof TaskState)[keyof typeof TaskState];

/** Milliseconds by state. */
export interface TimeSplit {
  /** Milliseconds idle. */
  readonly idleMs: number;
  /** Milliseconds busy. */
  readonly busyMs: number;
  /** Milliseconds back-pressured. */
  readonly backPressuredMs: number;
}

/** Length of one slot of the sliding window. */
const SLOT_MS = 5_000;
/** The window is the slot that runs and the eleven before it: 55 to 60 s. */
const SLOTS = 12;
const STATES = 3;

/** The time account of one task. */
export class TaskTime {
  readonly #originMs: number;
  readonly #totalsMs = new Float64Array(STATES);
  /** `SLOTS` rows of `STATES` sums; row `slot % SLOTS` belongs to the newest slot of that remainder. */
  readonly #slotsMs = new Float64Array(SLOTS * STATES);
  #state: TaskState;
  #bookedUntilMs: number;
  #slot = 0;

  /** Starts in `state` at `nowMs` (milliseconds of `Clock.nowMs`). */
  constructor(nowMs: number, state: TaskState = TaskState.IDLE) {
    this.#originMs = nowMs;
    this.#bookedUntilMs = nowMs;
    this.#state = state;
  }

  /** What the task does now. */
  get state(): TaskState {
    return this.#state;
  }

  /** Ends the running span at `nowMs` and begins one in `state`; the same state again is harmless. */
  switchTo(state: TaskState, nowMs: number): void {
    this.#book(nowMs);
    this.#state = state;
  }

  /** All time since the start until `nowMs`; the sum is that span. */
  totals(nowMs: number): TimeSplit {
    this.#book(nowMs);
    const [idleMs, busyMs, backPressuredMs] = this.#totalsMs;
    return { idleMs, busyMs, backPressuredMs };
  }

  /** Whole milliseconds per second over the last 55 to 60 s (or since the start): they add up to 1000 exactly. */
  perSecond(nowMs: number): TimeSplit {
    this.#book(nowMs);
    const sums = [0, 0, 0];
    for (let i = 0; i < this.#slotsMs.length; i++) sums[i % STATES] += this.#slotsMs[i];
    let spanMs = sums[0] + sums[1] + sums[2];
    if (spanMs === 0) {
      sums[this.#state] = 1;
      spanMs = 1;
    }
    // Rounding the running sum, not each part: no part is off by a whole millisecond, and none is negative.
    const idleEnd = Math.round(sums[0] * 1000 / spanMs);
    const busyEnd = Math.round((sums[0] + sums[1]) * 1000 / spanMs);
    return { idleMs: idleEnd, busyMs: busyEnd - idleEnd, backPressuredMs: 1000 - busyEnd };
  }

  #book(nowMs: number): void {
    assert(nowMs >= this.#bookedUntilMs, "a task's clock never goes back");
    this.#totalsMs[this.#state] += nowMs - this.#bookedUntilMs;
    const last = Math.floor((nowMs - this.#originMs) / SLOT_MS);
    // What ended before the window began is in the totals alone.
    if (last - this.#slot >= SLOTS) {
      this.#slotsMs.fill(0);
      this.#slot = last - SLOTS + 1;
      this.#bookedUntilMs = this.#originMs + this.#slot * SLOT_MS;
    }
    while (this.#slot < last) {
      const endMs = this.#originMs + (this.#slot + 1) * SLOT_MS;
      this.#addToSlot(endMs);
      this.#slot++;
      const row = (this.#slot % SLOTS) * STATES;
      this.#slotsMs.fill(0, row, row + STATES);
    }
    this.#addToSlot(nowMs);
  }

  #addToSlot(untilMs: number): void {
    this.#slotsMs[(this.#slot % SLOTS) * STATES + this.#state] += untilMs - this.#bookedUntilMs;
    this.#bookedUntilMs = untilMs;
  }
}
