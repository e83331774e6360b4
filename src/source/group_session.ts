/**
 * One membership from its begin to its end: a reader for each partition that the group has given, fetches for those
 * that want more, commits of what is settled.
 *
 * What is taken away by a rebalance is let go of at once: holding the group up until a slow sink has stored it would
 * stop all members. The next owner begins at the last commit, so it repeats at most what was in flight here.
 *
 * @module
 */
import { type Clock, sleep, type Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { StreamDoor } from "../ingress/stream_door.ts";
import { deliverable, type FetchedBatch, offsetBehind } from "./fetched.ts";
import { FetchMemory } from "./fetch_memory.ts";
import {
  type FetchedPartition,
  GroupMember,
  type MemberListener,
  type MemberOptions,
  type PartitionAnswer,
  type PartitionOffset,
  type TopicLack,
  type TopicPartition,
} from "./group_member.ts";
import { Fault, isFault, isForbiddenTopic, isUnknownTopic, reasonOf } from "./kafka_faults.ts";
import { PartitionReader } from "./partition_reader.ts";
import type { RefusedRecord } from "./refused_record.ts";

/** How long a broker that answered with an error is left alone, ms. */
const BACKOFF_MS = 250;
/** How long a partition is left alone that the broker gave nothing of for a fault, ms. */
const ASIDE_MS = 1_000;
/** How often topics that are not there are looked for, ms. */
const PROBE_MS = 2_000;
/** Numbers of errors of one partition (Kafka protocol, "Error Codes"). */
const ErrorCode = { OFFSET_OUT_OF_RANGE: 1, UNKNOWN_TOPIC_OR_PARTITION: 3, UNKNOWN_TOPIC_ID: 100 } as const;

/** What a session works with. */
export interface SessionOptions {
  /** The group, and how it is reached. */
  readonly member: MemberOptions;
  /** Topics to read. */
  readonly topics: readonly string[];
  /** Where a partition begins that the group has no offset of. */
  readonly startAt: "earliest" | "latest";
  /** Most bytes of a partition in one fetch. */
  readonly fetchBytes: number;
  /** How often what is settled is committed, ms. */
  readonly commitMs: number;
  /** The stream as it is now. */
  readonly door: () => StreamDoor;
  /** Stores a record that the stream does not take. */
  readonly refuse: (record: RefusedRecord) => void;
  /** Time. */
  readonly clock: Clock;
  /** Log. */
  readonly log: Logger;
  /** The brokers answered; `error` when they did not, or with a fault. */
  readonly onAnswer: (error?: unknown) => void;
}

/** What a session has counted. */
export interface SessionCounts {
  /** Records that entered the stream. */
  taken: number;
  /** Records that the stream did not take. */
  refused: number;
  /** Times that a partition went on elsewhere than it should have, as the broker had no such offset. */
  resets: number;
}

/** The membership. */
export class GroupSession implements MemberListener {
  /** Readers of the partitions that it has, by `topic-partition`. */
  readonly readers: Map<string, PartitionReader> = new Map();
  /** Topics that cannot be read, and why. */
  readonly lacking: Map<string, TopicLack> = new Map();
  /** Resolves when the group goes on without this member, or `close` was called. */
  readonly ended: Promise<void>;
  readonly #options: SessionOptions;
  readonly #memory: FetchMemory;
  readonly #end: () => void;
  /** Counts of the readers that are gone. */
  readonly #past: SessionCounts = { taken: 0, refused: 0, resets: 0 };
  readonly #opening: Set<string> = new Set();
  readonly #busyNodes: Set<number> = new Set();
  readonly #abort = new AbortController();
  #member: GroupMember | null = null;
  #pumpDeferred = false;
  #looksForLeaders = false;
  #looksForTopics = false;
  #stopped = false;
  #commitTimer: Timer | null = null;
  #probeTimer: Timer | null = null;
  #settled: (() => void) | null = null;

  /** Not in the group before `open`. */
  constructor(options: SessionOptions) {
    this.#options = options;
    this.#memory = new FetchMemory(() => this.#pumpSoon());
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** Joins the group. False when no topic is there. Rejects when the brokers cannot be reached or refuse. */
  async open(): Promise<boolean> {
    const { member, topics } = this.#options;
    this.#member = await GroupMember.join(member, topics, this.lacking, this);
    if (this.#member === null) return false;
    this.#options.onAnswer();
    for (const [topic, lack] of this.lacking) this.#tellLack(topic, lack);
    this.assignmentChanged();
    this.#commitLater();
    this.#probeLater();
    return true;
  }

  /** Bytes that were fetched and have not entered the stream. */
  get heldBytes(): number {
    return this.#memory.heldBytes;
  }

  /** Why some partitions do not go on: one sentence for each. */
  get faults(): string[] {
    return [...this.readers.values()].flatMap(({ fault, commitFault }) => fault ?? commitFault ?? []);
  }

  /** What it has counted. */
  get counts(): SessionCounts {
    const sum = { ...this.#past };
    for (const reader of this.readers.values()) {
      sum.taken += reader.takenRecords;
      sum.refused += reader.refusedRecords;
    }
    return sum;
  }

  /** The stream's door may be another one. */
  rebind(): void {
    const door = this.#options.door();
    for (const reader of this.readers.values()) reader.rebind(door);
  }

  /** Fetches nothing more, and forgets what has not entered the stream. */
  stop(): void {
    this.#stopped = true;
    for (const reader of this.readers.values()) reader.stop();
  }

  /** Resolves when everything that entered the stream is settled. `stop` comes before. */
  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => this.#settled = resolve);
  }

  /** Commits what is settled, and leaves the group. Rejects when the brokers do not answer. */
  async close(): Promise<void> {
    this.stop();
    this.#abort.abort();
    this.#commitTimer?.cancel();
    this.#probeTimer?.cancel();
    const member = this.#member;
    this.#end();
    if (member === null) return;
    try {
      await this.#commit(member);
    } finally {
      this.#forget();
      this.#member = null;
      await member.leave();
    }
  }

  assignmentChanged(): void {
    if (this.#member === null || this.#stopped) return;
    const assigned = new Map(this.#member.assigned.map((each) => [keyOf(each), each]));
    for (const [key, reader] of this.readers) if (!assigned.has(key)) this.#remove(key, reader);
    const fresh = [...assigned].filter(([key]) => !this.readers.has(key) && !this.#opening.has(key));
    if (fresh.length > 0) void this.#openPartitions(fresh.map(([, each]) => each));
  }

  revoking(): void {
    if (this.#member !== null) this.#commit(this.#member).catch((error) => this.#failed(error));
  }

  heartbeatFailed(error: unknown): void {
    this.#failed(error);
  }

  lost(error: unknown): void {
    if (this.#stopped) return;
    this.#options.log.warn("the group goes on without this gateway: it joins again", {
      reason: reasonOf(error),
    });
    this.#forget();
    this.close().catch((error) => this.#failed(error));
  }

  /** Begins to read partitions that the group has given. */
  async #openPartitions(partitions: readonly TopicPartition[]): Promise<void> {
    const { startAt, door, refuse, log } = this.#options;
    const member = this.#member!;
    for (const each of partitions) this.#opening.add(keyOf(each));
    try {
      const committed = await member.committedOf(partitions);
      const begun = partitions.filter((_, i) => committed[i] < 0);
      const ends = await member.endOf(startAt, begun);
      const assigned = new Set(member.assigned.map(keyOf));
      partitions.forEach((each, i) => {
        if (this.#stopped || !assigned.has(keyOf(each))) return;
        const position = committed[i] < 0 ? ends[begun.indexOf(each)] : committed[i];
        const reader = new PartitionReader({
          ...each,
          position,
          committed: committed[i],
          door: door(),
          refuse,
          onChange: () => this.#changed(),
        });
        this.readers.set(keyOf(each), reader);
        log.info("reads a partition", { ...each, offset: position });
      });
    } catch (error) {
      this.#failed(error);
      // The partitions are looked at anew, as the group may have taken them back meanwhile.
      void this.#pause(BACKOFF_MS).then(() => this.assignmentChanged());
    } finally {
      for (const each of partitions) this.#opening.delete(keyOf(each));
    }
    this.#pumpSoon();
  }

  #remove(key: string, reader: PartitionReader): void {
    reader.abandon();
    this.#past.taken += reader.takenRecords;
    this.#past.refused += reader.refusedRecords;
    this.readers.delete(key);
  }

  #forget(): void {
    for (const [key, reader] of [...this.readers]) this.#remove(key, reader);
  }

  get #isSettled(): boolean {
    for (const reader of this.readers.values()) if (!reader.isSettled) return false;
    return true;
  }

  #changed(): void {
    if (this.#settled !== null && this.#isSettled) this.#settled();
    this.#pumpSoon();
  }

  #pumpSoon(): void {
    if (this.#pumpDeferred || this.#stopped) return;
    this.#pumpDeferred = true;
    this.#options.clock.defer(() => {
      this.#pumpDeferred = false;
      void this.#pump();
    });
  }

  /** Starts a fetch at each broker that has none under way and leads partitions that want more. */
  async #pump(): Promise<void> {
    const member = this.#member;
    if (this.#looksForLeaders || this.#stopped || member === null || !this.#memory.hasRoom) return;
    const wanting = [...this.readers.values()].filter((reader) => reader.wantsFetch);
    if (wanting.length === 0) return;
    this.#looksForLeaders = true;
    try {
      const leaders = await member.leadersOf(wanting);
      const byNode = Map.groupBy(wanting, (reader) => leaders[wanting.indexOf(reader)]);
      for (const [node, readers] of byNode) {
        if (node >= 0 && !this.#busyNodes.has(node)) void this.#fetch(member, node, readers);
      }
    } catch (error) {
      this.#failed(error);
      void this.#pause(BACKOFF_MS).then(() => this.#pumpSoon());
    } finally {
      this.#looksForLeaders = false;
    }
  }

  async #fetch(member: GroupMember, node: number, readers: readonly PartitionReader[]): Promise<void> {
    this.#busyNodes.add(node);
    try {
      const wanted = readers.map((reader): PartitionOffset => ({
        topic: reader.topic,
        partition: reader.partition,
        offset: reader.position,
      }));
      const answer = await member.fetch(node, wanted, this.#options.fetchBytes);
      const faulty = answer.filter(({ errorCode }) => errorCode !== 0);
      this.#options.onAnswer();
      this.#offer(answer.filter(({ errorCode }) => errorCode === 0), new Set(readers));
      if (faulty.length > 0) await this.#mend(member, faulty);
    } catch (error) {
      this.#failed(error);
      await this.#pause(BACKOFF_MS);
    } finally {
      this.#busyNodes.delete(node);
    }
    this.#pumpSoon();
  }

  /** Gives each reader what is for it; `asked` are those that the fetch was for, of which some may be gone. */
  #offer(answer: readonly FetchedPartition[], asked: ReadonlySet<PartitionReader>): void {
    for (const each of answer) {
      const reader = this.readers.get(keyOf(each));
      if (reader !== undefined) reader.fault = null;
    }
    const filled = answer.filter(({ batches }) => batches.length > 0);
    if (filled.length === 0) return;
    const bytes = filled.reduce((sum, { batches }) => sum + bytesOf(batches), 0);
    const release = this.#memory.hold(bytes, filled.length);
    for (const each of filled) {
      const reader = this.readers.get(keyOf(each));
      if (reader === undefined || !asked.has(reader) || !reader.wantsFetch) {
        release();
        continue;
      }
      reader.highWatermark = each.highWatermark;
      const end = Math.max(reader.position, offsetBehind(each.batches) ?? 0);
      const aborted = this.#options.member.readsUncommitted ? [] : each.aborted;
      reader.offer(each.topicId, deliverable(each.batches, aborted), end, release);
    }
  }

  /** Answers what brokers say of single partitions; the others go on. */
  async #mend(member: GroupMember, faulty: readonly FetchedPartition[]): Promise<void> {
    const { log } = this.#options;
    for (const each of faulty) if (each.errorCode !== ErrorCode.OFFSET_OUT_OF_RANGE) this.#setAside(each);
    if (faulty.some(({ errorCode }) => isUnknown(errorCode))) await this.#lookForTopics(member);
    const gone = faulty.filter(({ errorCode }) => errorCode === ErrorCode.OFFSET_OUT_OF_RANGE);
    const starts = await member.endOf("earliest", gone);
    gone.forEach((each, i) => {
      const reader = this.readers.get(keyOf(each));
      if (reader === undefined) return;
      this.#past.resets++;
      log.error("the broker does not have the next record any more, or not yet: reads on from its first", {
        topic: each.topic,
        partition: each.partition,
        offset: reader.position,
        first: starts[i],
        missed: Math.max(0, starts[i] - reader.position),
      });
      reader.reset(starts[i]);
    });
  }

  #setAside(faulty: FetchedPartition): void {
    const reader = this.readers.get(keyOf(faulty));
    if (reader === undefined) return;
    const fault = faultOf(faulty);
    if (reader.fault !== fault) {
      this.#options.log.warn("the broker gives nothing of a partition: tries again", { reason: fault });
    }
    reader.fault = fault;
    reader.isAside = true;
    void this.#pause(ASIDE_MS).then(() => {
      reader.isAside = false;
      this.#pumpSoon();
    });
  }

  /** Looks which topics are there; those that came back are read, those that went are not. */
  async #findLacking(member: GroupMember): Promise<void> {
    const { topics, log } = this.#options;
    for (const topic of topics) {
      const lack = await member.lackOf(topic);
      if (lack === (this.lacking.get(topic) ?? null)) continue;
      member.setTopic(topic, lack === null);
      if (lack === null) {
        this.lacking.delete(topic);
        log.info("the topic is there: it is read", { topic });
        continue;
      }
      this.lacking.set(topic, lack);
      this.#tellLack(topic, lack);
      for (const [key, reader] of [...this.readers]) if (reader.topic === topic) this.#remove(key, reader);
    }
  }

  #tellLack(topic: string, lack: TopicLack): void {
    this.#options.log.warn(
      lack === "missing"
        ? "the topic does not exist: it is not read until it is created"
        : "the gateway may not read the topic: it is not read until its user may",
      { topic },
    );
  }

  /** The same, once at a time; never rejects. */
  async #lookForTopics(member: GroupMember): Promise<void> {
    if (this.#looksForTopics) return;
    this.#looksForTopics = true;
    try {
      await this.#findLacking(member);
      this.#options.onAnswer();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#options.onAnswer(error);
    } finally {
      this.#looksForTopics = false;
    }
  }

  #probeLater(): void {
    this.#probeTimer = this.#options.clock.setTimer(() => void this.#probe(), PROBE_MS);
  }

  async #probe(): Promise<void> {
    if (this.lacking.size > 0 && this.#member !== null) await this.#lookForTopics(this.#member);
    if (!this.#stopped) this.#probeLater();
  }

  #commitLater(): void {
    this.#commitTimer = this.#options.clock.setTimer(() => void this.#commitNow(), this.#options.commitMs);
  }

  async #commitNow(): Promise<void> {
    try {
      if (this.#member !== null) await this.#commit(this.#member);
    } catch (error) {
      this.#failed(error);
    }
    if (!this.#abort.signal.aborted) this.#commitLater();
  }

  /** Commits what is settled and not committed. */
  async #commit(member: GroupMember): Promise<void> {
    const behind = [...this.readers.values()].filter((reader) => reader.settledTo > reader.committed);
    if (behind.length === 0) return;
    const offsets = behind.map((reader): PartitionOffset => ({
      topic: reader.topic,
      partition: reader.partition,
      offset: reader.settledTo,
    }));
    const refused = new Map((await member.commit(offsets)).map((each) => [keyOf(each), each]));
    behind.forEach((reader, i) => {
      this.#tellCommit(reader, refused.get(keyOf(reader)));
      if (refused.has(keyOf(reader))) return;
      // Not what was committed of a log that the broker has lost meanwhile.
      if (reader.settledTo >= offsets[i].offset) {
        reader.committed = Math.max(reader.committed, offsets[i].offset);
      }
    });
    if (refused.values().some(({ errorCode }) => isUnknown(errorCode))) void this.#lookForTopics(member);
  }

  #tellCommit(reader: PartitionReader, refused: PartitionAnswer | undefined): void {
    const fault = refused === undefined ? null : `${faultOf(refused)}, at a commit`;
    if (fault !== null && fault !== reader.commitFault) {
      this.#options.log.warn("the group does not take the commit of a partition: tries again", {
        reason: fault,
      });
    }
    reader.commitFault = fault;
  }

  #failed(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    if (isFault(error, Fault.UNKNOWN_MEMBER_ID, Fault.FENCED_MEMBER_EPOCH)) this.lost(error);
    else if (isLack(error) && this.#member !== null) void this.#lookForTopics(this.#member);
    else this.#options.onAnswer(error);
  }

  /** Resolves after `delayMs`, or when the session closes. */
  async #pause(delayMs: number): Promise<void> {
    await sleep(this.#options.clock, delayMs, this.#abort.signal).catch(() => {}); // closed: nobody waits any more
  }
}

/** Whether `error` is of single topics, which are looked for, and not of the brokers. */
function isLack(error: unknown): boolean {
  return isUnknownTopic(error) || isForbiddenTopic(error);
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

function faultOf({ topic, partition, errorName, errorCode }: PartitionAnswer): string {
  return `topic ${topic}, partition ${partition}: ${errorName} (${errorCode})`;
}

function isUnknown(errorCode: number): boolean {
  return errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || errorCode === ErrorCode.UNKNOWN_TOPIC_ID;
}

function bytesOf(batches: readonly FetchedBatch[]): number {
  let bytes = 0;
  for (const { records } of batches) for (const { length } of records) bytes += length;
  return bytes;
}
