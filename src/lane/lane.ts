/**
 * A lane is the bounded path from one stream to one writer of one sink. It owns delivery: it forms batches, keeps
 * order, retries what may still succeed, and sends to the dead letter what never will.
 *
 * Everything that it holds is a buffer that it was given credit for. A retry holds its buffers, and so its credits:
 * while a sink is down the lane asks for no more, its queue fills, and the pressure goes on upstream by itself.
 *
 * Order `key`: two batches that hold the same key are never in flight together and none passes a retry of it. Order
 * `strict`: the same for all records.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { RateMeter } from "../limit/rate_meter.ts";
import { Histogram } from "../monitor/histogram.ts";
import type { PartitionLane, StreamBuffer } from "../partition/result_partition.ts";
import { Outcome } from "../sink/adapter.ts";
import type { SegmentBatch } from "./batch.ts";
import { Batcher, recordsWithin } from "./batcher.ts";
import { HeldBuffers } from "./held_buffers.ts";
import { KeysInFlight } from "./keys_in_flight.ts";
import type { LaneOptions } from "./lane_options.ts";
import { contractFault, countOf, firstReason, type Reasons } from "./outcomes.ts";
import { RetryQueue } from "./retry_queue.ts";
import { settleRecords } from "./settle.ts";
import type { SinkGate } from "./sink_gate.ts";
import type { SinkWriter, WritingLane } from "./sink_writer.ts";
import type { WriteEnd } from "./write_end.ts";

/** Bounds of `weir_delivery_seconds`, in seconds. */
// deno-fmt-ignore
const DELIVERY_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** The lane. */
export class Lane implements WritingLane {
  /** Name of the stream. */
  readonly stream: string;
  /** Name of the sink. */
  readonly sink: string;
  /** Writer of the sink, from 0. */
  readonly writer: number;
  /** The stream's end of this lane. */
  readonly input: PartitionLane;
  /** Bytes settled per second while there is something to settle: what the lane can, for `Retry-After`. */
  readonly drain: RateMeter;
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
  /** Batches in flight. */
  inFlight = 0;

  readonly #options: Omit<LaneOptions, "sinkWriter">;
  #sinkWriter: SinkWriter;
  readonly #held: HeldBuffers;
  readonly #batcher: Batcher;
  readonly #retries: RetryQueue;
  readonly #keys: KeysInFlight | null;
  #candidate: SegmentBatch | null = null;
  /** Writes whose rejected records are on their way to the dead letter. */
  #rejecting = 0;
  #heldBack = false;
  #closed = false;
  #onSettled: (() => void)[] = [];

  /** Nothing is held yet. */
  constructor(options: LaneOptions) {
    const { input, clock, order, inOrder, sinkWriter } = options;
    this.#options = options;
    this.#sinkWriter = sinkWriter;
    this.stream = options.stream;
    this.sink = input.sink;
    this.input = input;
    this.writer = options.writer;
    this.drain = new RateMeter(clock.nowMs());
    this.recordRate = new RateMeter(clock.nowMs());
    this.byteRate = new RateMeter(clock.nowMs());
    this.#held = new HeldBuffers(input, options.credit);
    this.#keys = order === "key" && !inOrder ? new KeysInFlight() : null;
    this.#batcher = new Batcher({
      input,
      held: this.#held,
      stream: options.stream,
      idPrefix: options.idPrefix,
      shape: options.shape,
      gate: () => this.#sinkWriter.gate,
      keys: this.#keys,
      clock,
      onLingered: () => this.#wake(),
    });
    this.#retries = new RetryQueue({
      policy: options.retry,
      ordered: order !== "none" || inOrder,
      inOrder,
      clock,
      random: options.random,
      onDue: () => this.#wake(),
    });
  }

  /** A buffer comes over the channel; the lane holds it until every record in it is settled. */
  onBuffer(buffer: StreamBuffer): void {
    const held = this.#held;
    // What a lane that had nothing to do drained is no measure of what it can.
    if (held.oldestMs === null) this.drain.resume(this.#options.clock.nowMs());
    held.add(buffer);
    if (held.addedRecords > 0) this.#batcher.added(held.addedRecords, held.addedBytes);
    // Also without records of its own: a record that waits may go on in this buffer.
    this.#wake();
  }

  get ready(): boolean {
    if (this.#heldBack) return false;
    return this.#candidate !== null || this.#dueRetry() !== null || this.#mayForm();
  }

  get nextCost(): number {
    const batch = this.#candidate ?? this.#dueRetry();
    return Math.max(1, batch ? batch.bytes : this.#batcher.nextBytes);
  }

  next(): SegmentBatch | null {
    let batch = this.#candidate;
    if (batch === null) {
      batch = this.#dueRetry();
      if (batch !== null) this.#retries.take(batch);
      else if (this.#mayForm()) batch = this.#batcher.form();
      else return null;
    }
    return this.#candidate = this.#cutToBurst(batch);
  }

  begin(batch: SegmentBatch): void {
    assert(batch === this.#candidate, "the batch that is begun is the one that was offered");
    this.#candidate = null;
    this.inFlight++;
  }

  end(batch: SegmentBatch, end: WriteEnd, gate: SinkGate): void {
    this.inFlight--;
    this.#settleEnd(batch, end, gate);
    const candidate = this.#candidate;
    if (!this.#options.inOrder || candidate === null || this.#retries.isEmpty) return;
    // It was formed before this one failed: it waits behind it.
    this.#candidate = null;
    this.#retries.putBack(candidate);
  }

  #settleEnd(batch: SegmentBatch, end: WriteEnd, gate: SinkGate): void {
    if (this.#closed) {
      if (this.inFlight === 0) this.#held.releaseAll();
      return;
    }
    const fault = end.kind === "unknown" ? null : contractFault(end.result, batch.count);
    if (end.kind === "unknown") {
      const reason = end.error instanceof Error ? end.error.message : String(end.error);
      gate.failed(reason);
      this.#retryAll(batch, reason);
    } else if (fault !== null) {
      this.#options.log.error(
        "sink adapter broke its contract: one outcome per record; the batch is kept and sent again",
        { stream: this.stream, sink: this.sink, reason: fault },
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
    this.#wake();
  }

  /** From now on batches do not linger: the lane is draining. */
  hurry(): void {
    this.#batcher.hurry();
    this.#wake();
  }

  /** Resolves when nothing is unsettled, or it is given up. */
  settled(): Promise<void> {
    if (this.input.held === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onSettled.push(resolve);
    });
  }

  /** Whether rejected records wait for room in the dead letter and nothing else goes on. */
  get waitsForDeadLetter(): boolean {
    return this.#rejecting > 0 && this.inFlight === 0;
  }

  /** Records that wait for another try. */
  get retryingRecords(): number {
    return this.#retries.records;
  }

  /** Clock time at which the oldest unsettled record was accepted; null when there is none. */
  get oldestMs(): number | null {
    return this.#held.oldestMs;
  }

  /** Forgets timers, and gives up what is not settled: now, or when the writes in flight no longer read it. */
  abandon(): void {
    this.#closed = true;
    this.#batcher.stop();
    this.#retries.stop();
    this.#sinkWriter.removeLane(this);
    if (this.inFlight === 0) this.#held.releaseAll();
    this.#tellSettled();
  }

  /** From now on batches are written at `sinkWriter`, those that are tried again too; writes in flight end where they are. */
  moveTo(sinkWriter: SinkWriter, weight: number): void {
    if (this.#closed) return;
    this.#sinkWriter.removeLane(this);
    this.#sinkWriter = sinkWriter;
    sinkWriter.addLane(this, weight);
    this.#wake();
  }

  /** Writes nothing before `until` has resolved: what it would pass is still on its way. */
  holdBack(until: Promise<unknown>): void {
    this.#heldBack = true;
    void until.then(() => {
      this.#heldBack = false;
      this.#wake();
    });
  }

  #wake(): void {
    if (!this.#closed && this.ready) this.#sinkWriter.wake(this);
  }

  #dueRetry(): SegmentBatch | null {
    const { order, inOrder } = this.#options;
    return (order === "strict" || inOrder) && this.inFlight > 0 ? null : this.#retries.due();
  }

  #mayForm(): boolean {
    if (this.#batcher.records === 0) return false;
    if (this.#options.inOrder && !this.#retries.isEmpty) return false;
    if (
      this.#options.order === "strict" && (this.inFlight > 0 || this.#rejecting > 0 || !this.#retries.isEmpty)
    ) return false;
    return this.#batcher.ready;
  }

  /** The limit may have been lowered since the batch was formed. */
  #cutToBurst(batch: SegmentBatch): SegmentBatch {
    const { gate } = this.#sinkWriter;
    const { framingBytes } = this.#options.shape;
    if (batch.count <= gate.maxRecords && batch.bytes + batch.count * framingBytes <= gate.maxBytes) {
      return batch;
    }
    const at = recordsWithin(batch, gate, framingBytes);
    return at < batch.count ? this.#retries.split(batch, at) : batch;
  }

  #classify(batch: SegmentBatch, gate: SinkGate, given: Uint8Array, reasons: Reasons): void {
    const acked = countOf(given, Outcome.ACKED);
    let rejected = countOf(given, Outcome.REJECTED);
    const retryable = batch.count - acked - rejected;
    const givesUp = retryable > 0 && this.#lastAttempt(batch);
    const outcomes = givesUp
      ? given.map((outcome) => outcome === Outcome.RETRYABLE ? Outcome.REJECTED : outcome)
      : given;
    if (givesUp) rejected += retryable;
    if (acked + rejected > 0) gate.answered();
    if (acked > 0) {
      gate.account.totals.delivered += acked;
      this.delivered += acked;
      this.deliverySeconds.observe((this.#options.clock.nowMs() - batch.acceptedAtMsOldest) / 1000, acked);
      this.#settle(batch, outcomes, Outcome.ACKED, acked);
    }
    if (rejected > 0) {
      this.#reject(batch, outcomes, reasons, givesUp ? `gave up after ${batch.attempt} attempts` : "");
    }
    if (retryable === 0 || givesUp) return this.#retries.done(batch);
    gate.failed(firstReason(outcomes, reasons));
    let rest = batch;
    if (retryable < batch.count) {
      rest = batch.slice(0, batch.count);
      rest.keep(outcomes, Outcome.RETRYABLE);
    }
    this.#retryLater(batch, rest);
  }

  #lastAttempt(batch: SegmentBatch): boolean {
    const { maxAttempts } = this.#options.retry;
    return maxAttempts > 0 && batch.attempt >= maxAttempts;
  }

  #retryAll(batch: SegmentBatch, reason: string): void {
    if (this.#lastAttempt(batch)) {
      this.#rejectAll(batch, `gave up after ${batch.attempt} attempts: ${reason}`);
    } else this.#retryLater(batch, batch);
  }

  #retryLater(batch: SegmentBatch, rest: SegmentBatch): void {
    this.#sinkWriter.gate.account.totals.retried += rest.count;
    this.#retries.schedule(batch, rest);
  }

  #rejectAll(batch: SegmentBatch, because: string): void {
    this.#reject(batch, new Uint8Array(batch.count).fill(Outcome.REJECTED), undefined, because);
    this.#retries.done(batch);
  }

  /** Sends the rejected records to the dead letter; they are settled when they are there. */
  #reject(batch: SegmentBatch, outcomes: Uint8Array, reasons: Reasons, because: string): void {
    const { totals } = this.#sinkWriter.gate.account;
    const records = countOf(outcomes, Outcome.REJECTED);
    totals.rejected += records;
    this.#rejecting++;
    this.#options.deadLetter().submit({
      batch,
      outcomes,
      reason: (i) => [because, reasons?.get(i)].filter((part) => part).join(": ") || "the sink rejected it",
      attempts: batch.attempt,
      done: () => {
        this.#rejecting--;
        if (this.#closed) return;
        this.deadLettered += records;
        totals.deadLettered += records;
        this.#settle(batch, outcomes, Outcome.REJECTED, records);
        this.#wake();
      },
    });
  }

  /** Settles the `records` records whose outcome is `outcome`: counters first, then buffers, then credits. */
  #settle(batch: SegmentBatch, outcomes: Uint8Array, outcome: number, records: number): void {
    this.#keys?.remove(batch, outcomes, outcome);
    const dead = outcome === Outcome.REJECTED;
    const bytes = settleRecords(batch, outcomes, outcome, this.input.acks, dead);
    this.input.unsettledRecords -= records;
    const now = this.#options.clock.nowMs();
    this.drain.record(bytes, now);
    this.recordRate.record(records, now);
    this.byteRate.record(bytes, now);
    this.#held.releaseSettled();
    if (this.input.held === 0) this.#tellSettled();
  }

  #tellSettled(): void {
    for (const resolve of this.#onSettled.splice(0)) resolve();
  }
}
