/**
 * Keys of the records that a lane has taken and not settled, counted by hash in a fixed table: two keys that share a
 * count only wait for each other, and nothing is allocated per key.
 *
 * @module
 */
import { SLOT_HAS_KEY, SlotWord } from "../core/record.ts";
import type { StreamBuffer } from "../partition/result_partition.ts";
import type { SegmentBatch } from "./batch.ts";
import { slotWord } from "./lane_buffer.ts";

/** Counts in the table: 16 KiB, at 10,000 keys in flight one record in two waits for a stranger, at 1,000 one in eight. */
const KEY_COUNTS = 8192;

/** The table. */
export class KeysInFlight {
  readonly #counts: Uint16Array = new Uint16Array(KEY_COUNTS);

  /** Whether the key of the record at `slot` is in flight, or one that shares its count; false for a record without key. */
  has(buffer: StreamBuffer, slot: number): boolean {
    if (!(slotWord(buffer, slot, SlotWord.FLAGS_AND_KEY_LENGTH) & SLOT_HAS_KEY)) return false;
    return this.#counts[slotWord(buffer, slot, SlotWord.KEY_HASH) % KEY_COUNTS] > 0;
  }

  /** The records of `batch` are taken. */
  add(batch: SegmentBatch): void {
    if (!batch.keyed) return;
    for (let i = 0; i < batch.count; i++) if (batch.hasKey(i)) this.#counts[batch.keyHash(i) % KEY_COUNTS]++;
  }

  /** The records of `batch` whose outcome is `outcome` are settled. */
  remove(batch: SegmentBatch, outcomes: Uint8Array, outcome: number): void {
    if (!batch.keyed) return;
    for (let i = 0; i < batch.count; i++) {
      if (outcomes[i] === outcome && batch.hasKey(i)) this.#counts[batch.keyHash(i) % KEY_COUNTS]--;
    }
  }
}
