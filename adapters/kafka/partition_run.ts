/**
 * The records of a write that go to one partition, sent batch by batch in their order. A batch stays as it was sent,
 * bytes and number, until it is certain what became of it.
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";
import type { BatchNumber } from "./producer.ts";
import type { PlacedRun } from "./placement.ts";
import type { EncodedBatch } from "./record_batch.ts";

/** A batch that was sent, or is to be. */
export interface OpenBatch extends EncodedBatch {
  readonly number: BatchNumber;
}

/** The run. */
export class PartitionRun {
  readonly topic: string;
  readonly partition: number;
  readonly order: Int32Array;
  readonly to: number;
  /** Place in `order` of the first record that has no outcome. */
  at: number;
  /** The batch that begins at `at`, once it is encoded. */
  open: OpenBatch | null = null;
  /** Offset of the batch that was stored last; -1: none was. */
  storedAt = -1n;
  /** Whether the open batch may be stored. */
  isUnknown = false;
  /** Records of the next batch at most. */
  maxRecords = Infinity;

  constructor({ topic, partition, order, from, to }: PlacedRun) {
    this.topic = topic;
    this.partition = partition;
    this.order = order;
    this.at = from;
    this.to = to;
  }

  /** Whether all records have an outcome. */
  get isDone(): boolean {
    return this.at === this.to;
  }

  /** The place behind the last record that the next batch may have. */
  get end(): number {
    return Math.min(this.to, this.at + this.maxRecords);
  }

  /** The open batch is settled. */
  advance(count: number): void {
    assert(this.at + count <= this.to, "a batch is a part of its run");
    this.at += count;
    this.open = null;
    this.isUnknown = false;
    this.maxRecords = Infinity;
  }

  /** The open batch is not stored, and is to be sent with other records: at most `maxRecords`. */
  reopen(maxRecords: number): void {
    this.open = null;
    this.isUnknown = false;
    this.maxRecords = maxRecords;
  }

  /** Moves the records of the open batch that `chosen` names by index to its front, the rest behind them in order. */
  toFront(chosen: (index: number) => boolean): number {
    assert(this.open !== null, "records are named by their index in a batch");
    const part = this.order.slice(this.at, this.at + this.open.count);
    const isChosen = part.map((_, index) => chosen(index) ? 1 : 0);
    let at = this.at;
    part.forEach((i, index) => isChosen[index] && (this.order[at++] = i));
    const count = at - this.at;
    part.forEach((i, index) => isChosen[index] || (this.order[at++] = i));
    return count;
  }
}
