/**
 * Every buffer of a lane that is not settled, oldest first. It is what the lane was given credit for, and what it owes
 * its stream: a buffer is let go of when its last record is settled, wherever it stands.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { SlotWord } from "../core/record.ts";
import type { PartitionLane, StreamBuffer } from "../partition/result_partition.ts";
import { LaneBuffer, slotWord } from "./lane_buffer.ts";

/** How much history the list keeps at most before it is looked at whether to compact it. */
const COMPACT_FROM = 32;

/** The buffers. Their number is bounded by the lane's credits. */
export class HeldBuffers {
  /** Records of the lane in the buffer that was added last. */
  addedRecords = 0;
  /** Bytes of their values. */
  addedBytes = 0;
  readonly #input: PartitionLane;
  readonly #credit: () => void;
  #held: LaneBuffer[] = [];
  /** Index of the first that is not settled; behind it some may be. */
  #head = 0;
  /** Index of the first with records that no batch has taken. */
  #take = 0;
  #lastArrived: LaneBuffer | null = null;
  #spanOwned = false;

  /** Of the lane that `input` feeds; `credit` gives one credit back to the sender. */
  constructor(input: PartitionLane, credit: () => void) {
    this.#input = input;
    this.#credit = credit;
  }

  /** Clock time at which the oldest unsettled record was accepted; null when there is none. */
  get oldestMs(): number | null {
    return this.#held[this.#head]?.buffer.acceptedAtMs ?? null;
  }

  /** Takes a buffer over. One without records of this lane goes home at once. */
  add(buffer: StreamBuffer): void {
    const entry = new LaneBuffer(buffer);
    let records = 0;
    let bytes = 0;
    for (let slot = buffer.firstSlot; slot < buffer.endSlot; slot++) {
      if (!this.#input.owns(buffer, slot)) continue;
      records++;
      bytes += slotWord(buffer, slot, SlotWord.VALUE_LENGTH);
    }
    entry.unsettled = records;
    if (buffer.continues) {
      assert(this.#lastArrived !== null, "what goes on comes behind what it goes on from");
      this.#lastArrived.next = entry;
      if (this.#spanOwned) entry.unsettled++;
    }
    if (buffer.next && buffer.records > 0) this.#spanOwned = this.#input.owns(buffer, buffer.endSlot - 1);
    this.#lastArrived = entry;
    this.addedRecords = records;
    this.addedBytes = bytes;
    if (entry.unsettled === 0) this.#release(entry);
    else this.#held.push(entry);
  }

  /** The buffer whose `cursor` is at the first record that no batch has taken; undefined when all are taken. */
  firstUntaken(): LaneBuffer | undefined {
    for (; this.#take < this.#held.length; this.#take++) {
      const entry = this.#held[this.#take];
      while (entry.cursor < entry.buffer.endSlot && !this.#input.owns(entry.buffer, entry.cursor)) {
        entry.cursor++;
      }
      if (entry.cursor < entry.buffer.endSlot) return entry;
    }
    return undefined;
  }

  /** Lets go of every buffer that is settled. */
  releaseSettled(): void {
    const held = this.#held;
    let blocked = false;
    for (let k = this.#head; k < held.length; k++) {
      const entry = held[k];
      if (entry.unsettled > 0) {
        blocked = true;
        continue;
      }
      if (entry.unsettled === 0) {
        entry.unsettled = -1;
        this.#release(entry);
      }
      if (!blocked) this.#head = k + 1;
    }
    // Compacted when half is history, so that the list stays as long as what is held.
    if (this.#head > COMPACT_FROM && this.#head * 2 > held.length) {
      this.#held = held.slice(this.#head);
      this.#take = Math.max(0, this.#take - this.#head);
      this.#head = 0;
    }
  }

  /** Lets go of everything, settled or not. */
  releaseAll(): void {
    for (let k = this.#head; k < this.#held.length; k++) {
      if (this.#held[k].unsettled > 0) this.#input.settled(this.#held[k].buffer);
    }
    this.#held = [];
    this.#head = 0;
    this.#take = 0;
  }

  #release(entry: LaneBuffer): void {
    this.#input.settled(entry.buffer);
    this.#credit();
  }
}
