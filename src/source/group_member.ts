/**
 * Membership in a consumer group (KIP-848, brokers from Kafka 4.0 on), with fetches of its own: the client library's
 * stream can only be paused as a whole, and delivers what is aborted, so it is used for nothing but to join.
 *
 * The library heartbeats by its own timer, whatever is fetched or not: a stream that stands still for an hour costs no
 * membership.
 *
 * @module
 */
import type { Consumer, ConsumerOptions } from "@platformatic/kafka";
import { Fault, isFault, isForbiddenTopic, isUnknownTopic } from "./kafka_faults.ts";
import {
  type ErrorNames,
  fetchedIn,
  fetchedOf,
  type FetchedPartition,
  refusedIn,
} from "./partition_answers.ts";
import type { PartitionAnswer, PartitionOffset, TopicPartition } from "./topic_partition.ts";

/** How brokers are reached. */
export type KafkaConnection =
  & Pick<ConsumerOptions<Buffer, Buffer, Buffer, Buffer>, "tls" | "tlsServerName" | "sasl">
  & {
    /** The client library. */
    readonly library: {
      readonly Consumer: typeof Consumer;
      /** Names of the protocol's errors by their numbers. */
      readonly protocolErrorsCodesById: ErrorNames;
    };
    /** Name that the brokers know the gateway by. */
    readonly clientId: string;
    /** `host:port` of each. */
    readonly bootstrapBrokers: string[];
    /** Deadline of a request, ms. */
    readonly timeout: number;
  };

/** What a member is. */
export interface MemberOptions {
  /** The brokers. */
  readonly connection: KafkaConnection;
  /** The group. */
  readonly groupId: string;
  /** Whether what is not committed yet is read too. */
  readonly readsUncommitted: boolean;
  /** How long a broker may wait for records, ms. */
  readonly maxWaitMs: number;
}

/** Why a topic cannot be read: it is not there, or the gateway may not see whether it is. */
export type TopicLack = "missing" | "forbidden";

/** What a member tells. */
export interface MemberListener {
  /** The partitions assigned to it may be others now. */
  assignmentChanged(): void;
  /** Some of its partitions are about to be taken away: the last moment to commit for them. */
  revoking(): void;
  /** The group does not hear from it, or it does not hear from the group, for `error`. */
  heartbeatFailed(error: unknown): void;
  /** It is no longer in the group. */
  lost(error: unknown): void;
}

/** Most bytes of one answer: with the budget of what is held, it bounds what a source has in memory. */
export const MAX_ANSWER_BYTES = 8_388_608;

const SESSION_FAULTS: readonly string[] = [
  Fault.INVALID_FETCH_SESSION_EPOCH,
  Fault.FETCH_SESSION_ID_NOT_FOUND,
  Fault.FETCH_SESSION_TOPIC_ID_ERROR,
];
/** Timestamps that ask for an end of a partition (Kafka protocol, ListOffsets). */
const End = { earliest: -2n, latest: -1n } as const;

/** The member. */
export class GroupMember {
  readonly #consumer: Consumer;
  readonly #maxWaitMs: number;
  readonly #errorNames: ErrorNames;

  private constructor(consumer: Consumer, { connection, maxWaitMs }: MemberOptions) {
    this.#consumer = consumer;
    this.#maxWaitMs = maxWaitMs;
    this.#errorNames = connection.library.protocolErrorsCodesById;
  }

  /**
   * Connects, and joins the group for those of `topics` that are there. `lacking` gets the others. Rejects when no broker
   * answers or the group does not take it; resolves with null when none of the topics is there.
   */
  static async join(
    options: MemberOptions,
    topics: readonly string[],
    lacking: Map<string, TopicLack>,
    listener: MemberListener,
  ): Promise<GroupMember | null> {
    const { library, ...connection } = options.connection;
    const consumer = new library.Consumer({
      ...connection,
      groupId: options.groupId,
      groupProtocol: "consumer",
      autocommit: false,
      isolationLevel: options.readsUncommitted ? 0 : 1,
      // Whoever calls goes on trying: it tells meanwhile what is wrong.
      retries: 0,
    });
    const member = new GroupMember(consumer, options);
    try {
      for (const topic of topics) {
        const lack = await member.lackOf(topic);
        if (lack !== null) lacking.set(topic, lack);
      }
      const present = topics.filter((topic) => !lacking.has(topic));
      if (present.length === 0) {
        await member.leave();
        return null;
      }
      member.#listen(listener);
      consumer.topics.trackAll(...present);
      const stream = await consumer.consume({ topics: present, autocommit: false, maxWaitTime: 1 });
      stream.on("error", (error) => listener.heartbeatFailed(error));
      await stream.close();
      return member;
    } catch (error) {
      await member.leave();
      throw error;
    }
  }

  /** Why `topic` cannot be read; null when the brokers know it. Rejects when none answers. */
  async lackOf(topic: string): Promise<TopicLack | null> {
    try {
      await this.#consumer.metadata({ topics: [topic], forceUpdate: true });
      return null;
    } catch (error) {
      if (isUnknownTopic(error)) return "missing";
      if (isForbiddenTopic(error)) return "forbidden";
      throw error;
    }
  }

  /** Reads `topic` too, or no longer; the group is told with the next heartbeat. */
  setTopic(topic: string, reads: boolean): void {
    if (reads) this.#consumer.topics.track(topic);
    else this.#consumer.topics.untrack(topic);
  }

  /** What the group has given it. */
  get assigned(): TopicPartition[] {
    return (this.#consumer.assignments ?? []).flatMap(({ topic, partitions }) =>
      // The library leaves the name out where a topic is gone.
      topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }))
    );
  }

  /** The broker that leads each of `partitions`, in their order; -1 where nobody knows. */
  async leadersOf(partitions: readonly TopicPartition[]): Promise<number[]> {
    const topics = [...new Set(partitions.map(({ topic }) => topic))];
    const { topics: known } = await this.#consumer.metadata({ topics });
    return partitions.map(({ topic, partition }) => known.get(topic)?.partitions[partition]?.leader ?? -1);
  }

  /** Fetches of `wanted`, which are all at broker `node`, at most `bytes` of each; the answer may leave some out. */
  async fetch(
    node: number,
    wanted: readonly PartitionOffset[],
    bytes: number,
  ): Promise<FetchedPartition[]> {
    try {
      return await this.#fetch(node, wanted, bytes);
    } catch (error) {
      // The library does not count an answer with a fault of a partition in its session, and begins another one after
      // the broker has said so; the source has nothing to tell of that.
      if (!isFault(error, ...SESSION_FAULTS)) throw error;
      return await this.#fetch(node, wanted, bytes);
    }
  }

  async #fetch(
    node: number,
    wanted: readonly PartitionOffset[],
    bytes: number,
  ): Promise<FetchedPartition[]> {
    const topics = [...new Set(wanted.map(({ topic }) => topic))];
    const { topics: known } = await this.#consumer.metadata({ topics });
    const names = new Map(topics.map((topic) => [known.get(topic)!.id, topic]));
    try {
      const answer = await this.#consumer.fetch({
        node,
        maxWaitTime: this.#maxWaitMs,
        maxBytes: MAX_ANSWER_BYTES,
        topics: [...names].map(([topicId, topic]) => ({
          topicId,
          partitions: wanted.filter((each) => each.topic === topic).map(({ partition, offset }) => ({
            partition,
            fetchOffset: BigInt(offset),
            partitionMaxBytes: bytes,
            currentLeaderEpoch: -1,
            lastFetchedEpoch: -1,
          })),
        })),
      });
      return fetchedOf(answer.responses, names, this.#errorNames);
    } catch (error) {
      const responses = fetchedIn(error);
      if (responses === null) throw error;
      return fetchedOf(responses, names, this.#errorNames);
    }
  }

  /** Where the group stands in each of `partitions`; -1 where it has no offset. */
  async committedOf(partitions: readonly TopicPartition[]): Promise<number[]> {
    const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, own]) => ({
      topic,
      partitions: own.map(({ partition }) => partition),
    }));
    const committed = await this.#consumer.listCommittedOffsets({ topics });
    return partitions.map(({ topic, partition }) => Number(committed.get(topic)?.[partition] ?? -1n));
  }

  /** The first offset, or the one behind the last, of each of `partitions`. */
  async endOf(end: "earliest" | "latest", partitions: readonly TopicPartition[]): Promise<number[]> {
    if (partitions.length === 0) return [];
    const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
    const offsets = await this.#consumer.listOffsets({
      topics: [...byTopic.keys()],
      partitions: Object.fromEntries(
        [...byTopic].map(([topic, own]) => [topic, own.map(({ partition }) => partition)]),
      ),
      timestamp: End[end],
    });
    return partitions.map(({ topic, partition }) => Number(offsets.get(topic)?.[partition] ?? 0n));
  }

  /**
   * Tells the group that everything before each of `offsets` is done. Returns those that it did not take, each for a
   * fault of its own partition; the others are committed. Rejects when none is.
   */
  async commit(offsets: readonly PartitionOffset[]): Promise<PartitionAnswer[]> {
    try {
      await this.#consumer.commit({
        offsets: offsets.map(({ topic, partition, offset }) => ({
          topic,
          partition,
          offset: BigInt(offset),
          leaderEpoch: -1,
        })),
      });
      return [];
    } catch (error) {
      const refused = refusedIn(error, this.#errorNames);
      if (refused === null) throw error;
      return refused;
    }
  }

  /** Leaves the group and disconnects. Rejects when it cannot: the group then finds out by its session timeout. */
  async leave(): Promise<void> {
    await this.#consumer.close(true);
  }

  #listen(listener: MemberListener): void {
    let last = this.#consumer.assignments;
    const look = () => {
      if (this.#consumer.assignments === last) return;
      last = this.#consumer.assignments;
      listener.assignmentChanged();
    };
    // The heartbeat that tells the group that partitions are let go of begins when the assignment is a new one.
    this.#consumer.on("consumer:heartbeat:start", look);
    this.#consumer.on("consumer:heartbeat:end", look);
    this.#consumer.on("consumer:group:rebalance", () => listener.revoking());
    this.#consumer.on("consumer:heartbeat:error", ({ error }: { readonly error?: unknown }) => {
      if (isFault(error, Fault.UNKNOWN_MEMBER_ID, Fault.FENCED_MEMBER_EPOCH)) listener.lost(error);
      else listener.heartbeatFailed(error);
    });
  }
}
