/**
 * What belongs to a sink's name and not to what runs under it: a reload may replace the unit, and counters that began
 * anew would go backwards, a bucket that began full would let a burst too many through, a controller would have to find out
 * again what the sink takes.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { createWriteController, type WriteControl } from "../limit/controllers.ts";
import { type Limits, TokenBucket } from "../limit/token_bucket.ts";
import { withinBounds, type WriteController } from "../limit/write_controller.ts";
import { Histogram } from "../monitor/histogram.ts";

/** Bounds of `weir_sink_write_seconds`, in seconds. */
const WRITE_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The account of one sink. */
export class SinkAccount {
  /** Records by what became of them; `shed` and `lost` are those of lanes that have ended. */
  readonly totals = { delivered: 0, deadLettered: 0, rejected: 0, retried: 0, shed: 0, lost: 0 };
  /** Durations of writes. */
  readonly writeSeconds: Histogram = new Histogram(WRITE_SECONDS);
  /** Writes that the sink refused for load, or did not answer. */
  refusedWrites = 0;
  /** Seconds that throttles asked for, in all. */
  throttleSeconds = 0;
  #control: WriteControl;
  #controller: WriteController;
  #limits: Limits;
  #bucket: TokenBucket | null;

  /** `limits` are those of the token bucket, empty for none; it starts full. */
  constructor(limits: Limits, control: WriteControl, nowMs: number) {
    this.#control = control;
    this.#controller = createWriteController(control);
    this.#limits = limits;
    this.#bucket = isLimited(limits) ? new TokenBucket(limits, nowMs) : null;
  }

  /** Bounds the writes in flight. */
  get controller(): WriteController {
    return this.#controller;
  }

  /**
   * Another control from now on; nothing when it is the same. One of the same kind that learns begins with what the one
   * before has found, within its own bounds.
   */
  setControl(control: WriteControl): void {
    const before = this.#control;
    if (isDeepStrictEqual(before, control)) return;
    const learned = control.kind === before.kind && control.kind !== "static";
    const initial = learned ? withinBounds(this.#controller.limit, control) : control.initial;
    this.#control = control;
    this.#controller = createWriteController({ ...control, initial });
  }

  /** The limits in force. */
  get limits(): Limits {
    return this.#limits;
  }

  /** Their bucket, or null for none. */
  get bucket(): TokenBucket | null {
    return this.#bucket;
  }

  /** Other limits from now on; what was taken stays taken. */
  setLimits(limits: Limits, nowMs: number): void {
    if (!isLimited(limits)) this.#bucket = null;
    else if (this.#bucket) this.#bucket.setLimits(limits, nowMs);
    else this.#bucket = new TokenBucket(limits, nowMs);
    this.#limits = limits;
  }
}

function isLimited(limits: Limits): boolean {
  return limits.recordsPerSecond !== undefined || limits.bytesPerSecond !== undefined;
}
