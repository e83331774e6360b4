/**
 * The readers of the partitions that a member has. They come and go as the group gives and takes; what those have
 * counted that are gone is kept, or the source's figures would fall with every rebalance.
 *
 * @module
 */
import type { StreamDoor } from "../ingress/stream_door.ts";
import { PartitionReader } from "./partition_reader.ts";
import type { RefusedRecord } from "./refused_record.ts";
import { keyOf, type TopicPartition } from "./topic_partition.ts";

/** What readers work with. */
export interface PartitionReadersParts {
  /** The stream as it is now. */
  readonly door: () => StreamDoor;
  /** Stores a record that the stream does not take. */
  readonly refuse: (record: RefusedRecord) => void;
  /** One of them may be fetched of again, or has more to commit. */
  readonly onChange: () => void;
}

/** The readers of a session. */
export class PartitionReaders {
  readonly #parts: PartitionReadersParts;
  readonly #readers: Map<string, PartitionReader> = new Map();
  /** Counts of those that are gone. */
  readonly #past = { taken: 0, refused: 0 };
  #settled: (() => void) | null = null;

  /** None at first. */
  constructor(parts: PartitionReadersParts) {
    this.#parts = parts;
  }

  /** Each of them. */
  [Symbol.iterator](): IterableIterator<PartitionReader> {
    return this.#readers.values();
  }

  /** The reader of `partition`, if there is one. */
  get(partition: TopicPartition): PartitionReader | undefined {
    return this.#readers.get(keyOf(partition));
  }

  /** Records that entered the stream, and records that it did not take. */
  get counts(): { taken: number; refused: number } {
    const sum = { ...this.#past };
    for (const reader of this) {
      sum.taken += reader.takenRecords;
      sum.refused += reader.refusedRecords;
    }
    return sum;
  }

  /** Begins to read a partition at `position`; the group has the offset `committed` of it, or -1. */
  add({ topic, partition }: TopicPartition, position: number, committed: number): void {
    const { door, refuse } = this.#parts;
    const onChange = () => this.#changed();
    const reader = new PartitionReader({
      topic,
      partition,
      position,
      committed,
      door: door(),
      refuse,
      onChange,
    });
    this.#readers.set(keyOf(reader), reader);
  }

  /** Lets go of those that `isLost` holds for: nothing of them is committed any more. */
  removeWhere(isLost: (reader: PartitionReader) => boolean): void {
    for (const [key, reader] of [...this.#readers]) {
      if (!isLost(reader)) continue;
      reader.abandon();
      this.#past.taken += reader.takenRecords;
      this.#past.refused += reader.refusedRecords;
      this.#readers.delete(key);
    }
  }

  /** The stream's door may be another one. */
  rebind(): void {
    const door = this.#parts.door();
    for (const reader of this) reader.rebind(door);
  }

  /** Takes nothing more; what has entered the stream is still settled. */
  stop(): void {
    for (const reader of this) reader.stop();
  }

  /** Resolves when everything that entered the stream is settled. `stop` comes before. */
  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => this.#settled = resolve);
  }

  get #isSettled(): boolean {
    for (const reader of this) if (!reader.isSettled) return false;
    return true;
  }

  #changed(): void {
    if (this.#settled !== null && this.#isSettled) this.#settled();
    this.#parts.onChange();
  }
}
