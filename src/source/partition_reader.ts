/**
 * One partition on its way into a stream. What was fetched of it enters as far as the stream has room; while it waits
 * for more, nothing is fetched of this partition, and the others and the membership in the group go on.
 *
 * A record that the stream does not take becomes a dead letter and is settled when that is stored: it neither blocks
 * its partition for ever nor is it lost.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { hashKey, metaBytes } from "../core/record.ts";
import { nextAge, type PausedReader } from "../admission/arrivals.ts";
import { RecordRun, type RunOwner } from "../ingress/record_run.ts";
import type { StreamDoor } from "../ingress/stream_door.ts";
import type { AckCounter } from "../partition/acks.ts";
import type { FetchedBatch } from "./fetched.ts";
import { type OffsetRun, OffsetRuns } from "./offset_runs.ts";
import { KafkaRecordMeta } from "./record_meta.ts";
import { RefusedRecord } from "./refused_record.ts";

/** Runs that wait for their outcome, at most: some 200 bytes each. */
const MAX_RUNS = 1_024;
/** Refused records that wait to be stored as dead letters, at most: each is in memory until it is. */
const MAX_LETTERS = 64;

/** What a partition's reader works with. */
export interface ReaderParts {
  /** Name of the topic. */
  readonly topic: string;
  /** Number of the partition. */
  readonly partition: number;
  /** Offset of the first record to read. */
  readonly position: number;
  /** Offset that the group has; -1 when it has none. */
  readonly committed: number;
  /** The stream. */
  readonly door: StreamDoor;
  /** Stores a record that the stream does not take, and calls its `done`. */
  readonly refuse: (record: RefusedRecord) => void;
  /** It may be fetched of again, or has more to commit. */
  readonly onChange: () => void;
}

/** The reader. */
export class PartitionReader implements PausedReader, RunOwner {
  /** Name of the topic. */
  readonly topic: string;
  /** Number of the partition. */
  readonly partition: number;
  /** Its turn among those that wait for room; new at every pause. */
  age = Infinity;
  /** Offset up to which the group knows that all is settled. */
  committed: number;
  /** Offset behind the last record that the broker has; null before the first fetch. */
  highWatermark: number | null = null;
  /** Why the broker gave nothing of it at the last fetch; null when it did. */
  fault: string | null = null;
  /** Why the group did not take its last commit; null when it did. */
  commitFault: string | null = null;
  /** Whether it is left alone for a while, as the broker gave nothing of it. */
  isAside = false;
  /** Records that entered the stream. */
  takenRecords = 0;
  /** Records that the stream did not take. */
  refusedRecords = 0;
  readonly #runs: OffsetRuns;
  readonly #meta: KafkaRecordMeta;
  readonly #refuse: (record: RefusedRecord) => void;
  readonly #onChange: () => void;
  #door: StreamDoor;
  /** What was fetched and has not entered yet, from `#batch` and `#record` on. */
  #batches: readonly FetchedBatch[] = [];
  #batch = 0;
  #record = 0;
  /** Offset behind what was fetched. */
  #fetchedTo: number;
  #records: RecordRun;
  /** The offsets that are being taken. */
  #run: OffsetRun | null = null;
  #letters = 0;
  #waitsForRoom = false;
  #waitsForQuota = false;
  #release: (() => void) | null = null;
  #stopped = false;

  /** Reads nothing before `offer`. */
  constructor(parts: ReaderParts) {
    this.topic = parts.topic;
    this.partition = parts.partition;
    this.committed = parts.committed;
    this.#fetchedTo = parts.position;
    this.#door = parts.door;
    this.#records = new RecordRun(parts.door, this, "the record");
    this.#refuse = parts.refuse;
    this.#onChange = parts.onChange;
    this.#runs = new OffsetRuns(parts.position, () => this.#goOn());
    this.#meta = new KafkaRecordMeta(parts.topic, parts.partition, parts.door.policy.maxSharedBytes);
  }

  /** Offset of the next record to fetch. */
  get position(): number {
    return this.#fetchedTo;
  }

  /** Offset up to which everything is settled. */
  get settledTo(): number {
    return this.#runs.settledTo;
  }

  /** Whether everything that entered the stream is settled. */
  get isSettled(): boolean {
    return this.#runs.count === 0;
  }

  /** Whether more may be fetched: what was fetched has entered, and not too much waits for its outcome. */
  get wantsFetch(): boolean {
    return !this.#stopped && !this.isAside && !this.#hasBacklog && !this.isPaused;
  }

  /** Whether nothing is fetched for want of room, quota, or outcomes. */
  get isPaused(): boolean {
    return this.#waitsForRoom || this.#waitsForQuota || this.#isFull;
  }

  /** Bytes of the record that comes first, with all that stands beside it. */
  get expectedBytes(): number {
    const record = this.#batches[this.#batch]?.records[this.#record];
    return record === undefined ? 0 : record.length + metaBytes(this.#meta);
  }

  /** Takes what was fetched of the topic with the id `topicId` up to offset `end`, as far as there is room; `release` is called when it is done with all of it. */
  offer(topicId: string, batches: readonly FetchedBatch[], end: number, release: () => void): void {
    assert(!this.#hasBacklog && !this.#stopped, "only a partition that wants it is offered more");
    this.#meta.useTopicId(topicId);
    this.#batches = batches;
    this.#batch = 0;
    this.#record = 0;
    this.#fetchedTo = end;
    this.#release = release;
    this.#takeAll();
  }

  /**
   * Goes on at `offset`: those before it are gone from the broker, or it has none behind it. Then the log is another one
   * than what was read and committed is from, and the group is told where it stands in this one.
   */
  reset(offset: number): void {
    if (offset < this.#fetchedTo) {
      this.#runs.abandon();
      this.committed = -1;
    }
    this.#fetchedTo = offset;
    this.#runs.next = offset;
  }

  retry(): boolean {
    if (this.#stopped) return true;
    this.#waitsForRoom = false;
    this.#takeBacklog();
    if (this.#waitsForRoom) return false;
    this.age = Infinity;
    return true;
  }

  quotaOpened(): void {
    if (!this.#waitsForQuota) return;
    this.#waitsForQuota = false;
    this.#takeAll();
  }

  /** The stream's door is another one from now on. */
  rebind(door: StreamDoor): void {
    if (door === this.#door) return;
    this.#door.admission.leaveReading(this);
    this.#door = door;
    this.#records = new RecordRun(door, this, "the record");
    this.#waitsForRoom = false;
    this.#waitsForQuota = false;
    this.age = Infinity;
    if (!this.#stopped) this.#takeAll();
  }

  counterOf(records: number): AckCounter {
    this.takenRecords += records;
    return this.#run!.counter;
  }

  /** Takes nothing more; what has not entered is forgotten, and stays in Kafka. What has entered is still settled. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#waitsForRoom = false;
    this.#waitsForQuota = false;
    this.#door.admission.leaveReading(this);
    this.#drop();
  }

  /** The partition is another member's: nothing of it is committed here any more. */
  abandon(): void {
    this.stop();
    this.#runs.abandon();
  }

  get #hasBacklog(): boolean {
    return this.#batch < this.#batches.length;
  }

  get #isFull(): boolean {
    return this.#runs.count >= MAX_RUNS || this.#letters >= MAX_LETTERS;
  }

  /** Takes what there is room for; told when it may be fetched again. */
  #takeAll(): void {
    this.#takeBacklog();
    if (!this.#waitsForRoom) return;
    this.age = nextAge();
    this.#door.admission.waitToRead(this);
  }

  #takeBacklog(): void {
    if (this.#waitsForQuota || this.#waitsForRoom) return;
    const run = this.#run = this.#runs.begin();
    try {
      while (this.#hasBacklog && !this.#isFull && this.#takeNext());
      if (!this.#hasBacklog) this.#runs.next = this.#fetchedTo;
    } finally {
      this.#records.end();
      this.#run = null;
      run.counter.seal();
    }
    if (!this.#hasBacklog) this.#drop();
    this.#onChange();
  }

  /** Takes the next record. False: it waits for room, or for the quota. */
  #takeNext(): boolean {
    const batch = this.#batches[this.#batch];
    const record = batch.records[this.#record];
    const offset = Number(batch.firstOffset) + record.offsetDelta;
    // A batch is sent whole, also where its first records were read before.
    if (offset >= this.#runs.next) {
      const fault = this.#meta.set(batch, record, offset, this.#door.clock.wallMs());
      if (fault !== null || record.value === null || record.value.length === 0) {
        this.#refused(offset, record.value, fault ?? "it has no value, as tombstones have none");
      } else if (!this.#write(record.value, offset)) return false;
      this.#runs.next = offset + 1;
    }
    if (++this.#record === batch.records.length) {
      this.#record = 0;
      this.#batch++;
    }
    return true;
  }

  /** Writes `value` to the stream, or refuses it. False: it waits. */
  #write(value: Uint8Array, offset: number): boolean {
    const { admission, policy } = this.#door;
    if (value.length > policy.maxRecordBytes) {
      return this.#refused(
        offset,
        value,
        `its ${value.length} bytes are over maxRecordBytes (${policy.maxRecordBytes})`,
      );
    }
    const { key } = this.#meta;
    const keyHash = key.length > 0 ? hashKey(key, 0, key.length) : -1;
    const records = this.#records;
    records.useMeta(this.#meta);
    if (!records.goesOn(value.length, keyHash)) {
      if (!admission.mayRead(this)) return this.#waitForRoom();
      records.begin(this.#meta);
      // The same object says other things than at the record before.
      records.useMeta(this.#meta);
    }
    switch (records.add(value, keyHash)) {
      case "taken":
        return true;
      case "no-room":
        return this.#waitForRoom();
      case "no-quota":
        this.#waitsForQuota = true;
        admission.waitForQuota(this, value.length);
        return false;
      case "refused":
        return this.#refused(offset, value, records.refusal!.detail);
    }
  }

  #waitForRoom(): false {
    this.#waitsForRoom = true;
    return false;
  }

  /** True, as the record is done with here. */
  #refused(offset: number, value: Uint8Array | null, reason: string): true {
    this.#records.end();
    const { counter } = this.#run!;
    counter.expect(1);
    this.#letters++;
    this.refusedRecords++;
    this.#door.rejectedRecords++;
    const { topic, partition } = this;
    this.#refuse(
      new RefusedRecord({
        stream: this.#door.name,
        meta: this.#meta,
        value: value ?? new Uint8Array(0),
        reason: `topic ${topic}, partition ${partition}, offset ${offset}: ${reason}`,
        done: () => {
          this.#letters--;
          counter.settle(1);
          this.#goOn();
        },
      }),
    );
    return true;
  }

  /** Something is settled: there may be room for more that waits. */
  #goOn(): void {
    if (!this.#stopped && this.#hasBacklog && this.#run === null && !this.isPaused) this.#takeAll();
    else this.#onChange();
  }

  #drop(): void {
    this.#batches = [];
    this.#batch = 0;
    this.#release?.();
    this.#release = null;
  }
}
