/**
 * Fetches for the partitions that want more: one fetch at a time at each broker, which is asked for all that it leads.
 * What is wrong with one partition leaves that one aside for a while; the others go on.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { deliverable, type FetchedBatch, offsetBehind } from "./fetched.ts";
import { FetchMemory } from "./fetch_memory.ts";
import type { GroupMember } from "./group_member.ts";
import { Fault } from "./kafka_faults.ts";
import type { FetchedPartition } from "./partition_answers.ts";
import type { PartitionReader } from "./partition_reader.ts";
import type { PartitionReaders } from "./partition_readers.ts";
import { faultOf, isUnknownPartition } from "./topic_partition.ts";
import type { TopicWatch } from "./topic_watch.ts";

/** How long a broker that answered with an error is left alone, ms. */
export const BACKOFF_MS = 250;
/** How long a partition is left alone that the broker gave nothing of for a fault, ms. */
const ASIDE_MS = 1_000;

/** What a fetcher works with. */
export interface FetcherParts {
  /** Whom it fetches for. */
  readonly readers: PartitionReaders;
  /** Which topics are there. */
  readonly topics: TopicWatch;
  /** Most bytes of a partition in one fetch. */
  readonly fetchBytes: number;
  /** Whether what is not committed yet is read too. */
  readonly readsUncommitted: boolean;
  /** Time. */
  readonly clock: Clock;
  /** Log. */
  readonly log: Logger;
  /** Resolves after `delayMs`, or when nothing is to be waited for any more. */
  readonly pause: (delayMs: number) => Promise<void>;
  /** A broker answered. */
  readonly onAnswer: () => void;
  /** A broker did not answer, or with an error. */
  readonly onFailed: (error: unknown) => void;
}

/** What a fetcher asks of a member. */
export type FetchingMember = Pick<GroupMember, "leadersOf" | "fetch" | "endOf">;

/** The fetcher of a session. */
export class Fetcher {
  /** Times that a partition went on elsewhere than it should have, as the broker had no such offset. */
  resets = 0;
  readonly #parts: FetcherParts;
  readonly #memory: FetchMemory;
  readonly #busyNodes: Set<number> = new Set();
  #member: FetchingMember | null = null;
  #pumpDeferred = false;
  #looksForLeaders = false;
  #stopped = false;

  /** Fetches nothing before `begin`. */
  constructor(parts: FetcherParts) {
    this.#parts = parts;
    this.#memory = new FetchMemory(() => this.fetchSoon());
  }

  /** Fetches as `member` from now on. */
  begin(member: FetchingMember): void {
    this.#member = member;
  }

  /** Fetches nothing more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Bytes that were fetched and have not entered the stream. */
  get heldBytes(): number {
    return this.#memory.heldBytes;
  }

  /** Some partition may want more. */
  fetchSoon(): void {
    if (this.#pumpDeferred || this.#stopped) return;
    this.#pumpDeferred = true;
    this.#parts.clock.defer(() => {
      this.#pumpDeferred = false;
      void this.#pump();
    });
  }

  /** Starts a fetch at each broker that has none under way and leads partitions that want more. */
  async #pump(): Promise<void> {
    const member = this.#member;
    if (this.#looksForLeaders || this.#stopped || member === null || !this.#memory.hasRoom) return;
    const wanting = [...this.#parts.readers].filter((reader) => reader.wantsFetch);
    if (wanting.length === 0) return;
    this.#looksForLeaders = true;
    try {
      const leaders = await member.leadersOf(wanting);
      const byNode = Map.groupBy(wanting, (reader) => leaders[wanting.indexOf(reader)]);
      for (const [node, readers] of byNode) {
        if (node >= 0 && !this.#busyNodes.has(node)) void this.#fetch(member, node, readers);
      }
    } catch (error) {
      this.#parts.onFailed(error);
      void this.#parts.pause(BACKOFF_MS).then(() => this.fetchSoon());
    } finally {
      this.#looksForLeaders = false;
    }
  }

  async #fetch(member: FetchingMember, node: number, readers: readonly PartitionReader[]): Promise<void> {
    this.#busyNodes.add(node);
    try {
      const wanted = readers.map(({ topic, partition, position }) => ({
        topic,
        partition,
        offset: position,
      }));
      const answer = await member.fetch(node, wanted, this.#parts.fetchBytes);
      const faulty = answer.filter(({ errorCode }) => errorCode !== 0);
      this.#parts.onAnswer();
      this.#offer(answer.filter(({ errorCode }) => errorCode === 0), new Set(readers));
      if (faulty.length > 0) await this.#mend(member, faulty);
    } catch (error) {
      this.#parts.onFailed(error);
      await this.#parts.pause(BACKOFF_MS);
    } finally {
      this.#busyNodes.delete(node);
    }
    this.fetchSoon();
  }

  /** Gives each reader what is for it; `asked` are those that the fetch was for, of which some may be gone. */
  #offer(answer: readonly FetchedPartition[], asked: ReadonlySet<PartitionReader>): void {
    const { readers, readsUncommitted } = this.#parts;
    for (const each of answer) {
      const reader = readers.get(each);
      if (reader !== undefined) reader.fault = null;
    }
    const filled = answer.filter(({ batches }) => batches.length > 0);
    if (filled.length === 0) return;
    const bytes = filled.reduce((sum, { batches }) => sum + bytesOf(batches), 0);
    const release = this.#memory.hold(bytes, filled.length);
    for (const each of filled) {
      const reader = readers.get(each);
      if (reader === undefined || !asked.has(reader) || !reader.wantsFetch) {
        release();
        continue;
      }
      reader.highWatermark = each.highWatermark;
      const end = Math.max(reader.position, offsetBehind(each.batches) ?? 0);
      const aborted = readsUncommitted ? [] : each.aborted;
      reader.offer(each.topicId, deliverable(each.batches, aborted), end, release);
    }
  }

  /** Answers what brokers say of single partitions; the others go on. */
  async #mend(member: FetchingMember, faulty: readonly FetchedPartition[]): Promise<void> {
    const { readers, topics, log } = this.#parts;
    const { gone = [], others = [] } = Object.groupBy(
      faulty,
      (each) => isOutOfRange(each) ? "gone" : "others",
    );
    for (const each of others) this.#setAside(each);
    if (others.some(isUnknownPartition)) await topics.look();
    const starts = await member.endOf("earliest", gone);
    gone.forEach((each, i) => {
      const reader = readers.get(each);
      if (reader === undefined) return;
      this.resets++;
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
    const reader = this.#parts.readers.get(faulty);
    if (reader === undefined) return;
    const fault = faultOf(faulty);
    if (reader.fault !== fault) {
      this.#parts.log.warn("the broker gives nothing of a partition: tries again", { reason: fault });
    }
    reader.fault = fault;
    reader.isAside = true;
    void this.#parts.pause(ASIDE_MS).then(() => {
      reader.isAside = false;
      this.fetchSoon();
    });
  }
}

function isOutOfRange({ errorName }: FetchedPartition): boolean {
  return errorName === Fault.OFFSET_OUT_OF_RANGE;
}

function bytesOf(batches: readonly FetchedBatch[]): number {
  let bytes = 0;
  for (const { records } of batches) for (const { length } of records) bytes += length;
  return bytes;
}
