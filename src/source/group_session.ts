/**
 * One membership from its begin to its end: a reader for each partition that the group has given, fetches for those
 * that want more, commits of what is settled, a watch on the topics that cannot be read.
 *
 * What is taken away by a rebalance is let go of at once: holding the group up until a slow sink has stored it would
 * stop all members. The next owner begins at the last commit, so it repeats at most what was in flight here.
 *
 * @module
 */
import { type Clock, sleep } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { StreamDoor } from "../ingress/stream_door.ts";
import { BACKOFF_MS, Fetcher } from "./fetcher.ts";
import { GroupMember, type MemberListener, type MemberOptions } from "./group_member.ts";
import { Fault, isFault, isForbiddenTopic, isUnknownTopic, reasonOf } from "./kafka_faults.ts";
import { OffsetCommits } from "./offset_commits.ts";
import { PartitionReaders } from "./partition_readers.ts";
import type { RefusedRecord } from "./refused_record.ts";
import { keyOf, type TopicPartition } from "./topic_partition.ts";
import { TopicWatch } from "./topic_watch.ts";

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
  /** Readers of the partitions that it has. */
  readonly readers: PartitionReaders;
  /** Resolves when the group goes on without this member, or `close` was called. */
  readonly ended: Promise<void>;
  readonly #options: SessionOptions;
  readonly #topics: TopicWatch;
  readonly #fetcher: Fetcher;
  readonly #commits: OffsetCommits;
  readonly #end: () => void;
  readonly #opening: Set<string> = new Set();
  readonly #abort = new AbortController();
  #member: GroupMember | null = null;
  #stopped = false;

  /** Not in the group before `open`. */
  constructor(options: SessionOptions) {
    const { onAnswer } = options;
    const onFailed = (error: unknown) => this.#failed(error);
    this.#options = options;
    this.readers = new PartitionReaders({ ...options, onChange: () => this.#fetcher.fetchSoon() });
    this.#topics = new TopicWatch({
      ...options,
      onLost: (lost) => this.readers.removeWhere(({ topic }) => topic === lost),
      onAnswer: (error) => error === undefined ? onAnswer() : this.#unanswered(error),
    });
    this.#fetcher = new Fetcher({
      ...options,
      readers: this.readers,
      topics: this.#topics,
      readsUncommitted: options.member.readsUncommitted,
      pause: (delayMs) => this.#pause(delayMs),
      onFailed,
    });
    this.#commits = new OffsetCommits({
      ...options,
      readers: this.readers,
      onUnknown: () => void this.#topics.look(),
      onFailed,
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** Joins the group. False when no topic is there. Rejects when the brokers cannot be reached or refuse. */
  async open(): Promise<boolean> {
    const { member: options, topics, onAnswer } = this.#options;
    const member = await GroupMember.join(options, topics, this.#topics.lacking, this);
    if (member === null) return false;
    if (this.#abort.signal.aborted) {
      // Whoever does not leave goes on holding partitions that nobody reads.
      await member.leave();
      throw new Error("the group gave this gateway up while it joined");
    }
    this.#member = member;
    onAnswer();
    this.#fetcher.begin(member);
    this.#topics.begin(member);
    this.#commits.begin(member);
    this.assignmentChanged();
    return true;
  }

  /** Bytes that were fetched and have not entered the stream. */
  get heldBytes(): number {
    return this.#fetcher.heldBytes;
  }

  /** What cannot be read, and which partitions do not go on, while the rest is read: a sentence for each. */
  get faults(): string[] {
    const ofReaders = [...this.readers].flatMap(({ fault, commitFault }) => fault ?? commitFault ?? []);
    return [...this.#topics.faults, ...ofReaders];
  }

  /** What it has counted. */
  get counts(): SessionCounts {
    return { ...this.readers.counts, resets: this.#fetcher.resets };
  }

  /** Fetches nothing more, and forgets what has not entered the stream. */
  stop(): void {
    this.#stopped = true;
    this.#fetcher.stop();
    this.#topics.stop();
    this.readers.stop();
  }

  /** Commits what is settled, and leaves the group. Rejects when the brokers do not answer. */
  async close(): Promise<void> {
    this.stop();
    this.#abort.abort();
    this.#commits.stop();
    const member = this.#member;
    this.#end();
    if (member === null) return;
    try {
      await this.#commits.commit();
    } finally {
      this.readers.removeWhere(() => true);
      this.#member = null;
      await member.leave();
    }
  }

  assignmentChanged(): void {
    if (this.#member === null || this.#stopped) return;
    const assigned = new Map(this.#member.assigned.map((each) => [keyOf(each), each]));
    this.readers.removeWhere((reader) => !assigned.has(keyOf(reader)));
    const fresh = [...assigned].filter(([key, each]) => !this.readers.get(each) && !this.#opening.has(key));
    if (fresh.length > 0) void this.#openPartitions(this.#member, fresh.map(([, each]) => each));
  }

  revoking(): void {
    this.#commits.commit().catch((error) => this.#failed(error));
  }

  heartbeatFailed(error: unknown): void {
    this.#failed(error);
  }

  lost(error: unknown): void {
    if (this.#stopped) return;
    this.#options.log.warn("the group goes on without this gateway: it joins again", {
      reason: reasonOf(error),
    });
    this.readers.removeWhere(() => true);
    this.close().catch((error) => this.#failed(error));
  }

  /** Begins to read partitions that the group has given. */
  async #openPartitions(member: GroupMember, partitions: readonly TopicPartition[]): Promise<void> {
    const { startAt, log } = this.#options;
    for (const each of partitions) this.#opening.add(keyOf(each));
    try {
      const committed = await member.committedOf(partitions);
      const begun = partitions.filter((_, i) => committed[i] < 0);
      const ends = await member.endOf(startAt, begun);
      const assigned = new Set(member.assigned.map(keyOf));
      partitions.forEach((each, i) => {
        if (this.#stopped || !assigned.has(keyOf(each))) return;
        const position = committed[i] < 0 ? ends[begun.indexOf(each)] : committed[i];
        this.readers.add(each, position, committed[i]);
        log.info("reads a partition", { ...each, offset: position });
      });
    } catch (error) {
      this.#failed(error);
      // The partitions are looked at anew, as the group may have taken them back meanwhile.
      void this.#pause(BACKOFF_MS).then(() => this.assignmentChanged());
    } finally {
      for (const each of partitions) this.#opening.delete(keyOf(each));
    }
    this.#fetcher.fetchSoon();
  }

  #failed(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    if (isFault(error, Fault.UNKNOWN_MEMBER_ID, Fault.FENCED_MEMBER_EPOCH)) this.lost(error);
    else if (isLack(error) && this.#member !== null) void this.#topics.look();
    else this.#unanswered(error);
  }

  #unanswered(error: unknown): void {
    if (!this.#abort.signal.aborted) this.#options.onAnswer(error);
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
