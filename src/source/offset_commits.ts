/**
 * Tells the group how far everything is settled: from time to time, and where a member goes or is about to lose
 * partitions. What was not told is read again by whoever owns the partition next, so a commit that fails loses nothing
 * and is only tried again.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { GroupMember } from "./group_member.ts";
import type { PartitionReader } from "./partition_reader.ts";
import { faultOf, isUnknownPartition, keyOf, type PartitionAnswer } from "./topic_partition.ts";

/** A reader as far as commits go. */
export type CommittedReader = Pick<
  PartitionReader,
  "topic" | "partition" | "settledTo" | "committed" | "commitFault"
>;

/** What commits work with. */
export interface CommitParts {
  /** Whose offsets are committed. */
  readonly readers: Iterable<CommittedReader>;
  /** How often what is settled is committed, ms. */
  readonly commitMs: number;
  /** Time. */
  readonly clock: Clock;
  /** Log. */
  readonly log: Logger;
  /** The group does not know some partition: its topic may be gone. */
  readonly onUnknown: () => void;
  /** A commit by the clock failed. */
  readonly onFailed: (error: unknown) => void;
}

/** The commits of a session. */
export class OffsetCommits {
  readonly #parts: CommitParts;
  #member: Pick<GroupMember, "commit"> | null = null;
  #timer: Timer | null = null;
  #stopped = false;

  /** Commits nothing before `begin`. */
  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  /** Commits by the clock from now on, as `member`. */
  begin(member: Pick<GroupMember, "commit">): void {
    this.#member = member;
    this.#commitLater();
  }

  /** Commits no more by the clock; `commit` still does. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Commits what is settled and not committed. Rejects when nothing of it was. */
  async commit(): Promise<void> {
    const behind = [...this.#parts.readers].filter((reader) => reader.settledTo > reader.committed);
    if (behind.length === 0 || this.#member === null) return;
    const offsets = behind.map(({ topic, partition, settledTo }) => ({
      topic,
      partition,
      offset: settledTo,
    }));
    const refused = new Map((await this.#member.commit(offsets)).map((each) => [keyOf(each), each]));
    behind.forEach((reader, i) => {
      this.#tell(reader, refused.get(keyOf(reader)));
      if (refused.has(keyOf(reader))) return;
      // Not what was committed of a log that the broker has lost meanwhile.
      if (reader.settledTo >= offsets[i].offset) {
        reader.committed = Math.max(reader.committed, offsets[i].offset);
      }
    });
    if (refused.values().some(isUnknownPartition)) this.#parts.onUnknown();
  }

  /** Keeps what the group says of the partition, and says it once. */
  #tell(reader: CommittedReader, refused: PartitionAnswer | undefined): void {
    const fault = refused === undefined ? null : `${faultOf(refused)}, at a commit`;
    if (fault !== null && fault !== reader.commitFault) {
      this.#parts.log.warn("the group does not take the commit of a partition: tries again", {
        reason: fault,
      });
    }
    reader.commitFault = fault;
  }

  #commitLater(): void {
    this.#timer = this.#parts.clock.setTimer(() => void this.#commitNow(), this.#parts.commitMs);
  }

  async #commitNow(): Promise<void> {
    try {
      await this.commit();
    } catch (error) {
      this.#parts.onFailed(error);
    }
    if (!this.#stopped) this.#commitLater();
  }
}
