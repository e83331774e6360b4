/**
 * What becomes of a batch when its write has ended. Records that are stored are settled; those that may still succeed
 * wait for another try; those that never will go to the dead letter, and are settled when they are there.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { BurstRate } from "../limit/burst_rate.ts";
import { RateMeter } from "../limit/rate_meter.ts";
import { Histogram } from "../monitor/histogram.ts";
import type { PartitionLane } from "../partition/result_partition.ts";
import { Outcome } from "../sink/adapter.ts";
import type { SegmentBatch } from "./batch.ts";
import type { DeadLetter } from "./dead_letter.ts";
import type { HeldBuffers } from "./held_buffers.ts";
import type { KeysInFlight } from "./keys_in_flight.ts";
import { contractFault, countOf, firstReason, type Reasons } from "./outcomes.ts";
import type { RetryPolicy } from "./retry.ts";
import type { RetryQueue } from "./retry_queue.ts";
import { settleRecords } from "./settle.ts";
import type { SinkGate } from "./sink_gate.ts";
import type { WriteEnd } from "./write_end.ts";

/** Bounds of `weir_delivery_seconds`, in seconds. */
// deno-fmt-ignore
const DELIVERY_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** What a delivery works with. */
export interface DeliveryParts {
  /** Name of the stream. */
  readonly stream: string;
  /** The stream's end of the lane. */
  readonly input: PartitionLane;
  /** The lane's buffers. */
  readonly held: HeldBuffers;
  /** Batches that wait for another try. */
  readonly retries: RetryQueue;
  /** Keys of batches that are not settled; null where order does not ask for them. */
  readonly keys: KeysInFlight | null;
  /** How often a batch is tried. */
  readonly retry: RetryPolicy;
  /** The way of the records that the sink rejects. */
  readonly deadLetter: () => DeadLetter;
  /** The gate of the sink as it is now: writes may end at the one before. */
  readonly gate: () => SinkGate;
  /** Time. */
  readonly clock: Clock;
  /** Log. */
  readonly log: Logger;
  /** Nothing is unsettled any more. */
  readonly onSettled: () => void;
  /** Rejected records are stored: what waited for them may go on. */
  readonly onDeadLettered: () => void;
}

/** The delivery of one lane. */
export class Delivery {
  /** Bytes settled per second while there is something to settle: what the lane can, for `Retry-After`. */
  readonly drain: RateMeter;
  /** The same, for a sink that asks for pauses. */
  readonly burstDrain: BurstRate;
  /** Records settled per second, idle or not. */
  readonly recordRate: RateMeter;
  /** Their bytes per second. */
  readonly byteRate: RateMeter;
  /** Accepted until stored. */
  readonly deliverySeconds: Histogram = new Histogram(DELIVERY_SECONDS);
  /** Records stored. */
  delivered = 0;
  /** Records in the dead letter. */
  deadLettered = 0;
  /** Writes whose rejected records are on their way to the dead letter. */
  rejecting = 0;
  readonly #parts: DeliveryParts;
  readonly #retries: RetryQueue;
  readonly #keys: KeysInFlight | null;
  #stopped = false;

  /** Nothing is settled yet. */
  constructor(parts: DeliveryParts) {
    const now = parts.clock.nowMs();
    this.#parts = parts;
    this.#retries = parts.retries;
    this.#keys = parts.keys;
    this.drain = new RateMeter(now);
    this.burstDrain = new BurstRate(now);
    this.recordRate = new RateMeter(now);
    this.byteRate = new RateMeter(now);
  }

  /** There is something to settle again: what a lane that had nothing to do drained is no measure of what it can. */
  resume(nowMs: number): void {
    this.drain.resume(nowMs);
    this.burstDrain.resume(nowMs);
  }

  /** The write of `batch` through `gate` has ended. */
  end(batch: SegmentBatch, end: WriteEnd, gate: SinkGate): void {
    const fault = end.kind === "unknown" ? null : contractFault(end.result, batch.count);
    if (end.kind === "unknown") {
      const reason = end.error instanceof Error ? end.error.message : String(end.error);
      gate.failed(reason);
      this.#retryAll(batch, reason);
    } else if (fault !== null) {
      this.#parts.log.error(
        "sink adapter broke its contract: one outcome per record; the batch is kept and sent again",
        { stream: this.#parts.stream, sink: this.#parts.input.sink, reason: fault },
      );
      gate.failed(fault);
      this.#retryAll(batch, fault);
    } else if (end.result.kind === "tooLarge") {
      gate.answered();
      if (batch.count > 1) this.#retries.halve(batch);
      else this.#rejectAll(batch, end.result.reason);
    } else {
      this.#classify(batch, gate, end.result.outcomes, end.result.reasons);
    }
  }

  /** Settles nothing any more: what is not settled is given up. */
  stop(): void {
    this.#stopped = true;
  }

  #classify(batch: SegmentBatch, gate: SinkGate, given: Uint8Array, reasons: Reasons): void {
    const acked = countOf(given, Outcome.ACKED);
    const refused = countOf(given, Outcome.REJECTED);
    const retryable = batch.count - acked - refused;
    const givesUp = retryable > 0 && this.#lastAttempt(batch);
    const outcomes = givesUp
      ? given.map((outcome) => outcome === Outcome.RETRYABLE ? Outcome.REJECTED : outcome)
      : given;
    const rejected = givesUp ? refused + retryable : refused;
    if (acked + refused > 0) gate.answered();
    if (retryable > 0) gate.failed(firstReason(given, reasons));
    if (acked > 0) {
      gate.account.totals.delivered += acked;
      this.delivered += acked;
      this.deliverySeconds.observe((this.#parts.clock.nowMs() - batch.acceptedAtMsOldest) / 1000, acked);
      this.#settle(batch, outcomes, Outcome.ACKED, acked);
    }
    if (rejected > 0) {
      this.#reject(batch, outcomes, reasons, givesUp ? `gave up after ${batch.attempt} attempts` : "");
    }
    if (retryable === 0 || givesUp) return this.#retries.done(batch);
    let rest = batch;
    if (retryable < batch.count) {
      rest = batch.slice(0, batch.count);
      rest.keep(outcomes, Outcome.RETRYABLE);
    }
    this.#retryLater(batch, rest);
  }

  #lastAttempt(batch: SegmentBatch): boolean {
    const { maxAttempts } = this.#parts.retry;
    return maxAttempts > 0 && batch.attempt >= maxAttempts;
  }

  #retryAll(batch: SegmentBatch, reason: string): void {
    if (this.#lastAttempt(batch)) {
      this.#rejectAll(batch, `gave up after ${batch.attempt} attempts: ${reason}`);
    } else this.#retryLater(batch, batch);
  }

  #retryLater(batch: SegmentBatch, rest: SegmentBatch): void {
    this.#parts.gate().account.totals.retried += rest.count;
    this.#retries.schedule(batch, rest);
  }

  #rejectAll(batch: SegmentBatch, because: string): void {
    this.#reject(batch, new Uint8Array(batch.count).fill(Outcome.REJECTED), undefined, because);
    this.#retries.done(batch);
  }

  /** Sends the rejected records to the dead letter; they are settled when they are there. */
  #reject(batch: SegmentBatch, outcomes: Uint8Array, reasons: Reasons, because: string): void {
    const { totals } = this.#parts.gate().account;
    const records = countOf(outcomes, Outcome.REJECTED);
    totals.rejected += records;
    this.rejecting++;
    this.#parts.deadLetter().submit({
      batch,
      outcomes,
      reason: (i) => [because, reasons?.get(i)].filter((part) => part).join(": ") || "the sink rejected it",
      attempts: batch.attempt,
      done: () => {
        this.rejecting--;
        if (this.#stopped) return;
        this.deadLettered += records;
        totals.deadLettered += records;
        this.#settle(batch, outcomes, Outcome.REJECTED, records);
        this.#parts.onDeadLettered();
      },
    });
  }

  /** Settles the `records` records whose outcome is `outcome`: counters first, then buffers, then credits. */
  #settle(batch: SegmentBatch, outcomes: Uint8Array, outcome: number, records: number): void {
    const { input, held, clock, onSettled } = this.#parts;
    this.#keys?.remove(batch, outcomes, outcome);
    const dead = outcome === Outcome.REJECTED;
    const bytes = settleRecords(batch, outcomes, outcome, input.acks, dead);
    input.unsettledRecords -= records;
    const now = clock.nowMs();
    this.drain.record(bytes, now);
    this.burstDrain.record(bytes, now);
    this.recordRate.record(records, now);
    this.byteRate.record(bytes, now);
    held.releaseSettled();
    if (input.held === 0) onSettled();
  }
}
