/**
 * One lane as its stream sees it: the queue, how much of it is not settled, and which records are for it.
 *
 * The count goes from the cut of a buffer until the lane has settled it, so it covers what is queued, on the channel
 * and in flight alike. It is the lane's account with the stream's pool: a lane that is full makes the pool unavailable,
 * unless it sheds.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { SLOT_WORDS, SlotWord } from "../core/record.ts";
import type { PoolChannel } from "../buffer/local_buffer_pool.ts";
import type { StreamBuffer } from "./stream_buffer.ts";
import type { Subpartition } from "./subpartition.ts";

/** A lane of a partition. */
export class PartitionLane {
  /** Position among the stream's lanes. */
  readonly lane: number;
  /** Name of the sink. */
  readonly sink: string;
  /** The lane's queue. */
  readonly queue: Subpartition<StreamBuffer>;
  /** Limit of `held`. */
  readonly maxBuffers: number;
  /** Whether a full lane is left out rather than waited for. */
  readonly sheds: boolean;
  /** Whether acks wait for this lane. */
  readonly acks: boolean;
  /** Records that this lane was left out of. */
  shedRecords = 0;
  /** Records queued for the lane or at it, not settled. */
  unsettledRecords = 0;
  readonly #writer: number;
  readonly #writers: number;
  readonly #channel: PoolChannel | null;
  readonly #returned: () => void;
  #held = 0;

  /** `channel` is the lane's account with the stream's pool; null for a lane that sheds. `returned` is told of every settled buffer. */
  constructor(options: {
    lane: number;
    sink: string;
    writer: number;
    writers: number;
    queue: Subpartition<StreamBuffer>;
    maxBuffers: number;
    sheds: boolean;
    acks: boolean;
    channel: PoolChannel | null;
    returned: () => void;
  }) {
    this.lane = options.lane;
    this.sink = options.sink;
    this.queue = options.queue;
    this.maxBuffers = options.maxBuffers;
    this.#writer = options.writer;
    this.#writers = options.writers;
    this.sheds = options.sheds;
    this.acks = options.acks;
    this.#channel = options.channel;
    this.#returned = options.returned;
  }

  /** Buffers queued for the lane or at it, not settled. */
  get held(): number {
    return this.#held;
  }

  /** Whether the lane may take no more. */
  get full(): boolean {
    return this.#held >= this.maxBuffers;
  }

  /** Whether the record at `slot` is for this lane: the writers of a sink share the records by the hash of their keys. */
  owns(buffer: StreamBuffer, slot: number): boolean {
    if (this.#writers === 1) return true;
    const words = buffer.segment.words;
    return words[words.length - (slot + 1) * SLOT_WORDS + SlotWord.KEY_HASH] % this.#writers === this.#writer;
  }

  /** One buffer more. */
  charge(buffer: StreamBuffer): void {
    this.#held++;
    this.unsettledRecords += this.#ownRecords(buffer);
    this.#channel?.charge();
  }

  #ownRecords(buffer: StreamBuffer): number {
    if (this.#writers === 1) return buffer.records;
    let records = 0;
    for (let slot = buffer.firstSlot; slot < buffer.endSlot; slot++) if (this.owns(buffer, slot)) records++;
    return records;
  }

  /** The lane settled a buffer and lets go of it. */
  settled(buffer: StreamBuffer): void {
    assert(this.#held > 0, "a lane settles only what it holds");
    this.#held--;
    this.#channel?.discharge();
    buffer.release();
    this.#returned();
  }
}
