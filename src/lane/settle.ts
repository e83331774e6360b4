/**
 * Settles records of a batch: their requests are told, and their buffers owe as much less.
 *
 * @module
 */
import { SlotFlag, SlotWord } from "../core/record.ts";
import type { SegmentBatch } from "./batch.ts";
import { type LaneBuffer, slotWord } from "./lane_buffer.ts";

/**
 * Settles the records of `batch` whose outcome is `outcome`; returns the bytes of their values. `acks` says whether
 * requests wait for this lane, `dead` that the records ended in a dead letter. Buffers are let go of by their holder.
 */
export function settleRecords(
  batch: SegmentBatch,
  outcomes: Uint8Array,
  outcome: number,
  acks: boolean,
  dead: boolean,
): number {
  const positions = batch.positions;
  let current = -1;
  let entry: LaneBuffer | null = null;
  let span = 0;
  let inSpan = 0;
  let bytes = 0;
  for (let i = 0; i < batch.count; i++) {
    if (outcomes[i] !== outcome) continue;
    const ordinal = positions[i] >>> 16;
    const slot = positions[i] & 0xffff;
    if (ordinal !== current) {
      if (entry !== null) settleSpan(entry, span, inSpan, acks, dead);
      current = ordinal;
      entry = batch.buffers[ordinal];
      span = 0;
      inSpan = 0;
    }
    const { buffer } = entry!;
    const ends = buffer.spanEnds;
    if (slot >= ends[span]) {
      settleSpan(entry!, span, inSpan, acks, dead);
      inSpan = 0;
      while (slot >= ends[span]) span++;
    }
    inSpan++;
    bytes += slotWord(buffer, slot, SlotWord.VALUE_LENGTH);
    entry!.unsettled--;
    if (slotWord(buffer, slot, SlotWord.FLAGS_AND_KEY_LENGTH) & SlotFlag.SPANS) settleChain(entry!);
  }
  if (entry !== null) settleSpan(entry, span, inSpan, acks, dead);
  return bytes;
}

function settleSpan(entry: LaneBuffer, span: number, records: number, acks: boolean, dead: boolean): void {
  if (records === 0 || !acks) return;
  const counter = entry.buffer.spanCounters[span];
  if (counter === null) return;
  if (dead) counter.deadLettered += records;
  counter.settle(records);
}

/** One record that spans was settled: each buffer that it runs through owes one less. */
function settleChain(entry: LaneBuffer): void {
  for (let at = entry.next; at !== null; at = at.next) {
    at.unsettled--;
    if (at.buffer.records > 0 || at.buffer.next === null) return;
  }
}
