/**
 * A buffer at a lane, and the walk through the bytes of one of its records, over as many segments as they run.
 *
 * Each lane has its own, beside the buffer that all lanes of a stream share, because each settles at its own pace.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { SLOT_BYTES, SLOT_WORDS, SlotFlag, SlotWord } from "../core/record.ts";
import type { StreamBuffer } from "../partition/result_partition.ts";

/** A buffer at a lane: how many of its records the lane has not settled. */
export class LaneBuffer {
  /** The buffer. */
  readonly buffer: StreamBuffer;
  /** Records of this lane that are not settled, and one for a carried-on record that ends or goes through here. */
  unsettled = 0;
  /** The lane's buffer in which the last record goes on. */
  next: LaneBuffer | null = null;
  /** First slot that no batch has taken. */
  cursor: number;

  /** @param buffer held by the lane. */
  constructor(buffer: StreamBuffer) {
    this.buffer = buffer;
    this.cursor = buffer.firstSlot;
  }
}

/**
 * Visits `length` bytes of what is stored for the record at `slot` of `laneBuffer`, from byte `skip` of its value on:
 * one run of bytes per segment, none that is empty.
 */
export function eachPart(
  laneBuffer: LaneBuffer,
  slot: number,
  skip: number,
  length: number,
  visit: (bytes: Uint8Array, from: number, to: number) => void,
): void {
  const { words, slots } = laneBuffer.buffer.segment;
  const base = words.length - (slot + 1) * SLOT_WORDS;
  let at = laneBuffer;
  let { bytes } = at.buffer.segment;
  let limit = bytes.length;
  // A record that spans has the last slot of its segment: what it stores there ends where the slots begin.
  if (words[base + SlotWord.FLAGS_AND_KEY_LENGTH] & SlotFlag.SPANS) limit -= slots * SLOT_BYTES;
  let from = words[base + SlotWord.VALUE_OFFSET] + skip;
  let left = length;
  for (;;) {
    const to = Math.min(limit, from + left);
    if (from < to) {
      visit(bytes, from, to);
      left -= to - from;
      from = to;
    }
    if (left === 0) return;
    assert(at.next !== null, "the chain of a record is as long as its bytes");
    from -= limit;
    at = at.next;
    bytes = at.buffer.segment.bytes;
    limit = bytes.length;
  }
}

/** Word `word` of the slot of record `slot`. */
export function slotWord(buffer: StreamBuffer, slot: number, word: number): number {
  const words = buffer.segment.words;
  return words[words.length - (slot + 1) * SLOT_WORDS + word];
}

/** Whether all bytes of the record at `slot` of `entry` are at the lane: the rest of one that spans comes behind it. */
export function chainIsHere(entry: LaneBuffer, slot: number): boolean {
  if (entry.buffer.next === null || slot !== entry.buffer.endSlot - 1) return true;
  let at: LaneBuffer | null = entry.next;
  while (at !== null && at.buffer.records === 0 && at.buffer.next !== null) at = at.next;
  return at !== null;
}
