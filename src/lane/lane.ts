/**
 * A lane is the bounded path from one stream to one writer of one sink. It owns delivery: it forms batches, says which
 * is next so that order is kept, and hands each that was written to its `delivery`, which settles, retries and rejects.
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
import type { PartitionLane, StreamBuffer } from "../partition/result_partition.ts";
import type { SegmentBatch } from "./batch.ts";
import { Batcher, recordsWithin } from "./batcher.ts";
import { Delivery } from "./delivery.ts";
import { HeldBuffers } from "./held_buffers.ts";
import { KeysInFlight } from "./keys_in_flight.ts";
import type { LaneOptions } from "./lane_options.ts";
import { RetryQueue } from "./retry_queue.ts";
import type { SinkGate } from "./sink_gate.ts";
import type { SinkWriter, WritingLane } from "./sink_writer.ts";
import type { WriteEnd } from "./write_end.ts";

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
  /** What became of the records of its batches. */
  readonly delivery: Delivery;
  /** Batches in flight. */
  inFlight = 0;

  readonly #options: Omit<LaneOptions, "sinkWriter">;
  #sinkWriter: SinkWriter;
  readonly #held: HeldBuffers;
  readonly #batcher: Batcher;
  readonly #retries: RetryQueue;
  readonly #keys: KeysInFlight | null;
  #candidate: SegmentBatch | null = null;
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
    this.delivery = new Delivery({
      ...options,
      held: this.#held,
      retries: this.#retries,
      keys: this.#keys,
      gate: () => this.#sinkWriter.gate,
      onSettled: () => this.#tellSettled(),
      onDeadLettered: () => this.#wake(),
    });
  }

  /** A buffer comes over the channel; the lane holds it until every record in it is settled. */
  onBuffer(buffer: StreamBuffer): void {
    const held = this.#held;
    if (held.oldestMs === null) this.delivery.resume(this.#options.clock.nowMs());
    held.add(buffer);
    if (held.addedRecords > 0) this.#batcher.added(held.addedRecords, held.addedBytes);
    // Also without records of its own: a record that waits may go on in this buffer.
    this.#wake();
  }

  get ready(): boolean {
    if (this.#heldBack) return false;
    return this.#candidate !== null || this.#dueRetry() !== null || this.#mayForm();
  }

  get holdsRecords(): boolean {
    return this.input.held > 0;
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
    if (!this.#closed) {
      this.delivery.end(batch, end, gate);
      this.#wake();
    } else if (this.inFlight === 0) this.#held.releaseAll();
    const candidate = this.#candidate;
    if (!this.#options.inOrder || candidate === null || this.#retries.isEmpty) return;
    // It was formed before this one failed: it waits behind it.
    this.#candidate = null;
    this.#retries.putBack(candidate);
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
    return this.delivery.rejecting > 0 && this.inFlight === 0;
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
    this.delivery.stop();
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
      this.#options.order === "strict" &&
      (this.inFlight > 0 || this.delivery.rejecting > 0 || !this.#retries.isEmpty)
    ) return false;
    return this.#batcher.ready;
  }

  /** The limit may have been lowered since the batch was formed, or its body be larger than was reckoned then. */
  #cutToBurst(batch: SegmentBatch): SegmentBatch {
    const at = recordsWithin(batch, this.#sinkWriter);
    return at < batch.count ? this.#retries.split(batch, at) : batch;
  }

  #tellSettled(): void {
    for (const resolve of this.#onSettled.splice(0)) resolve();
  }
}
