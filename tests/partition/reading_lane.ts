/**
 * A lane as the partition's tests need it: it takes every buffer at once, reads it through batches, and settles record
 * by record in any order that a test likes, as `Lane` does.
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";
import type { PoolChannel } from "../../src/buffer/local_buffer_pool.ts";
import { SLOT_WORDS, SlotFlag, SlotWord } from "../../src/core/record.ts";
import { LaneBuffer, SegmentBatch } from "../../src/lane/batch.ts";
import { PartitionLane, type StreamBuffer } from "../../src/partition/result_partition.ts";
import { Subpartition } from "../../src/partition/subpartition.ts";

/** What a lane is. */
export interface LaneShape {
  readonly sink: string;
  readonly writer?: number;
  readonly writers?: number;
  readonly maxBuffers?: number;
  readonly sheds?: boolean;
  readonly acks?: boolean;
  readonly channel?: PoolChannel | null;
}

/** The lane and what it holds. */
export class ReadingLane {
  readonly input: PartitionLane;
  readonly queue: Subpartition<StreamBuffer> = new Subpartition<StreamBuffer>();
  /** Records settled. */
  settledRecords = 0;
  /** Buffers given back. */
  returned = 0;
  #lastArrived: LaneBuffer | null = null;
  #spanOwned = false;
  /** Buffers with records that no batch has taken; at its end perhaps the first part of a record whose rest is still to come. */
  #unread: LaneBuffer[] = [];

  constructor(lane: number, shape: LaneShape) {
    this.input = new PartitionLane({
      lane,
      sink: shape.sink,
      writer: shape.writer ?? 0,
      writers: shape.writers ?? 1,
      queue: this.queue,
      maxBuffers: shape.maxBuffers ?? 1000,
      sheds: shape.sheds ?? false,
      acks: shape.acks ?? true,
      channel: shape.channel ?? null,
      returned: () => this.returned++,
    });
  }

  /** Takes what is queued. */
  receive(): void {
    while (this.queue.peekKind() === "data") this.#take(this.queue.pollBuffer());
  }

  /** All records that are here and not read yet, in order, in one batch; null when there are none. */
  read(): SegmentBatch | null {
    this.receive();
    const batch = new SegmentBatch("s", "id-");
    for (const entry of this.#unread.splice(0)) {
      batch.buffers.push(entry);
      for (let slot = entry.cursor; slot < entry.buffer.endSlot; slot++) {
        if (this.input.owns(entry.buffer, slot)) batch.push(slot, word(entry, slot, SlotWord.VALUE_LENGTH));
      }
    }
    return batch.count === 0 ? null : batch;
  }

  /** Settles record `i` of `batch`: counter, buffer, then credit. */
  settle(batch: SegmentBatch, i: number): void {
    const entry = batch.laneBuffer(i);
    const slot = batch.slot(i);
    if (this.input.acks) {
      const span = entry.buffer.spanEnds.findIndex((end) => slot < end);
      assert(span >= 0, "every record of a buffer is in one of its spans");
      entry.buffer.spanCounters[span]?.settle(1);
    }
    this.input.unsettledRecords--;
    this.settledRecords++;
    const spans = (word(entry, slot, SlotWord.FLAGS_AND_KEY_LENGTH) & SlotFlag.SPANS) !== 0;
    for (let at = spans ? entry.next : null; at !== null; at = at.next) {
      this.#settleOne(at);
      if (at.buffer.records > 0 || at.buffer.next === null) break;
    }
    this.#settleOne(entry);
  }

  /** Settles all of `batch`. */
  settleAll(batch: SegmentBatch): void {
    for (let i = 0; i < batch.count; i++) this.settle(batch, i);
  }

  #take(buffer: StreamBuffer): void {
    const entry = new LaneBuffer(buffer);
    for (let slot = buffer.firstSlot; slot < buffer.endSlot; slot++) {
      if (this.input.owns(buffer, slot)) entry.unsettled++;
    }
    if (buffer.continues) {
      const before = this.#lastArrived;
      assert(before !== null && before.buffer.next === buffer, "what a record runs on into follows at once");
      before.next = entry;
      if (this.#spanOwned) entry.unsettled++;
    } else {
      assert(!this.#lastArrived?.buffer.next, "what a record runs on into is not left out");
    }
    if (buffer.next && buffer.records > 0) this.#spanOwned = this.input.owns(buffer, buffer.endSlot - 1);
    this.#lastArrived = entry;
    if (entry.unsettled === 0) this.input.settled(buffer);
    else this.#unread.push(entry);
  }

  #settleOne(entry: LaneBuffer): void {
    if (--entry.unsettled === 0) this.input.settled(entry.buffer);
    assert(entry.unsettled >= 0, "no record is settled twice");
  }
}

function word({ buffer }: LaneBuffer, slot: number, at: number): number {
  const { words } = buffer.segment;
  return words[words.length - (slot + 1) * SLOT_WORDS + at];
}
