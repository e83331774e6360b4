/**
 * Forms batches of the records that no batch has taken yet: full ones at once, others when they have lingered.
 *
 * A record waits while its key is in flight, and with it all behind it: looking past it would cost a search of the
 * queue for every batch, and order within a lane is what users see of it.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";
import { SLOT_HAS_KEY, SlotWord } from "../core/record.ts";
import type { PartitionLane } from "../partition/result_partition.ts";
import { MAX_BATCH_BUFFERS, SegmentBatch } from "./batch.ts";
import type { HeldBuffers } from "./held_buffers.ts";
import type { KeysInFlight } from "./keys_in_flight.ts";
import { chainIsHere, slotWord } from "./lane_buffer.ts";
import type { SinkGate } from "./sink_gate.ts";
import type { SinkWriter } from "./sink_writer.ts";

/** Shape of a lane's batches. */
export interface BatchShape {
  /** Records at most. */
  readonly maxRecords: number;
  /** Encoded bytes at most: values and `framingBytes` each. A larger record goes alone. */
  readonly maxBytes: number;
  /** How long a batch that is not full waits for more, ms. */
  readonly lingerMs: number;
  /** Bytes that the sink's encoding adds to each record. */
  readonly framingBytes: number;
}

/** What a batcher works with. */
export interface BatcherParts {
  readonly input: PartitionLane;
  readonly held: HeldBuffers;
  readonly stream: string;
  /** What every record id begins with. */
  readonly idPrefix: string;
  readonly shape: BatchShape;
  /** Bounds a batch by what the sink's burst allows; another one after the lane has moved. */
  readonly gate: () => SinkGate;
  /** Keys that may not go now; null where no order by key is kept. */
  readonly keys: KeysInFlight | null;
  readonly clock: Clock;
  /** A batch has lingered long enough. */
  readonly onLingered: () => void;
}

/** The batcher of one lane. */
export class Batcher {
  readonly #parts: BatcherParts;
  #records = 0;
  #sequence = 0;
  #bytes = 0;
  #sinceMs = 0;
  #hurried = false;
  #timer: Timer | null = null;

  /** Over what `parts.held` holds. */
  constructor(parts: BatcherParts) {
    this.#parts = parts;
  }

  /** Records that no batch has taken. */
  get records(): number {
    return this.#records;
  }

  /** Bytes of values that the next batch would have, if its records were all of average size. */
  get nextBytes(): number {
    if (this.#records === 0) return 0;
    const { maxRecords, maxBytes, framingBytes } = this.#parts.shape;
    const average = this.#bytes / this.#records;
    return Math.min(this.#records, maxRecords, maxBytes / average) * (average - framingBytes);
  }

  /** More records are held. */
  added(records: number, bytes: number): void {
    if (this.#records === 0) this.#sinceMs = this.#parts.clock.nowMs();
    this.#records += records;
    this.#bytes += bytes + records * this.#parts.shape.framingBytes;
  }

  /** From now on batches do not linger. */
  hurry(): void {
    this.#hurried = true;
  }

  /** Whether a batch could be formed now. Arms a timer when only time is missing. */
  get ready(): boolean {
    return this.#records > 0 && !this.#lingers() && this.#firstIsFree();
  }

  /** Forms a batch of what is ready. */
  form(): SegmentBatch {
    const { held, shape, stream, idPrefix, keys } = this.#parts;
    const gate = this.#parts.gate();
    const maxRecords = Math.min(shape.maxRecords, gate.maxRecords);
    const maxBytes = Math.min(shape.maxBytes, gate.maxBytes);
    const framing = shape.framingBytes;
    const batch = new SegmentBatch(stream, idPrefix);
    batch.sequence = this.#sequence++;
    let encoded = 0;
    let full = false;
    while (!full && batch.buffers.length < MAX_BATCH_BUFFERS) {
      const entry = held.firstUntaken();
      if (entry === undefined) break;
      const buffer = entry.buffer;
      if (batch.count === 0) batch.acceptedAtMsOldest = buffer.acceptedAtMs;
      batch.readyAtMs = buffer.acceptedAtMs;
      batch.buffers.push(entry);
      let slot = entry.cursor;
      for (; slot < buffer.endSlot; slot++) {
        if (!this.#parts.input.owns(buffer, slot)) continue;
        const length = slotWord(buffer, slot, SlotWord.VALUE_LENGTH);
        if (
          batch.count >= maxRecords || (batch.count > 0 && encoded + length + framing > maxBytes) ||
          !chainIsHere(entry, slot) || (keys !== null && keys.has(buffer, slot))
        ) {
          full = true;
          break;
        }
        batch.push(slot, length);
        encoded += length + framing;
        if (slotWord(buffer, slot, SlotWord.FLAGS_AND_KEY_LENGTH) & SLOT_HAS_KEY) batch.keyed = true;
      }
      entry.cursor = slot;
    }
    this.#records -= batch.count;
    this.#bytes -= encoded;
    const moreWaits = this.#records > 0 || this.#parts.input.queue.backlog > 0;
    batch.fill = moreWaits ? 1 : Math.min(1, Math.max(batch.count / maxRecords, encoded / maxBytes));
    this.#sinceMs = this.#parts.clock.nowMs();
    keys?.add(batch);
    this.stop();
    return batch;
  }

  /** Forgets the timer. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #lingers(): boolean {
    const { shape, clock, onLingered } = this.#parts;
    if (shape.lingerMs === 0 || this.#hurried) return false;
    if (this.#records >= shape.maxRecords || this.#bytes >= shape.maxBytes) return false;
    const leftMs = this.#sinceMs + shape.lingerMs - clock.nowMs();
    if (leftMs <= 0) return false;
    this.#timer ??= clock.setTimer(() => {
      this.#timer = null;
      onLingered();
    }, leftMs);
    return true;
  }

  /** Whether the first record could go now: its chain is here, and its key is not in flight. */
  #firstIsFree(): boolean {
    const { held, keys } = this.#parts;
    const entry = held.firstUntaken();
    if (entry === undefined) return false;
    return chainIsHere(entry, entry.cursor) && !(keys !== null && keys.has(entry.buffer, entry.cursor));
  }
}

/** Records from the first on that one write may have by the sink's burst, at least one: a larger record goes alone. */
export function recordsWithin(batch: SegmentBatch, writer: SinkWriter): number {
  const { maxRecords, maxBytes } = writer.gate;
  let records = Math.min(batch.count, maxRecords);
  let part = records === batch.count ? batch : batch.slice(0, records);
  for (let bytes; records > 1 && (bytes = writer.bodyBytes(part)) > maxBytes;) {
    // What records have on average, as nobody but the adapter knows what one has.
    records = Math.max(1, Math.min(records - 1, Math.floor(records * maxBytes / bytes)));
    part = batch.slice(0, records);
  }
  return records;
}
