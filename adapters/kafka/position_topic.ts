/**
 * The topic that holds how far each transactional id has come. A position is stored in the transaction of its batch, so
 * it is committed if and only if the batch is; that is how an outcome is found that no answer told.
 *
 * @module
 */
import type { Clock } from "../../src/core/clock.ts";
import type { KafkaClient } from "./client.ts";
import { type Cluster, type TopicState, UnreachableError } from "./cluster.ts";
import { describeCode } from "./error_codes.ts";
import { causeOf } from "./failure.ts";
import { partitionOf } from "./murmur2.ts";
import { PartitionRun } from "./partition_run.ts";
import type { RecordSource } from "./record_batch.ts";
import { TransactionError } from "./transaction_coordinator.ts";

/** A dead gateway's open transaction hides the positions behind it in its partition for a minute; not those of the others. */
const PARTITIONS = 8;
/** How long brokers may take to create it, ms. */
const CREATE_TIMEOUT_MS = 30_000;
const BROKERS_DEFAULT = -1;
const TOPIC_ALREADY_EXISTS = 36;
/** OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION. */
const GONE: readonly number[] = [1, 3];
const READ_COMMITTED = 1;
const NO_SESSION = { id: 0, epoch: -1 };
const NO_EPOCH = -1;
/** Brokers send one batch however large it is. */
const ONE_BATCH_BYTES = 1;

const encoder = new TextEncoder();

/** What became of a position, and so of its batch. */
export type PositionFate =
  | { readonly kind: "committed" }
  | { readonly kind: "aborted" }
  /** It cannot be told now. */
  | { readonly kind: "hidden"; readonly reason: string }
  /** It can never be told: the topic was deleted. */
  | { readonly kind: "gone"; readonly reason: string };

/** A position to be stored. */
export interface PositionRecord {
  readonly record: RecordSource;
  readonly run: PartitionRun;
}

/** Where a position was stored, and by whom. */
export interface StoredPosition {
  readonly partition: number;
  readonly offset: bigint;
  readonly producerId: bigint;
}

/** The positions of one transactional id. */
export class PositionTopic {
  readonly #client: KafkaClient;
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #topic: string;
  readonly #mayCreate: boolean;
  readonly #key: Uint8Array;
  /** Tells the batches of this life of the sink from those of others. */
  readonly #life: string = crypto.randomUUID();
  #batches = 0;

  constructor(
    client: KafkaClient,
    cluster: Cluster,
    clock: Clock,
    { positionTopic, createTopics }: { readonly positionTopic: string; readonly createTopics: boolean },
    transactionalId: string,
  ) {
    this.#client = client;
    this.#cluster = cluster;
    this.#clock = clock;
    this.#topic = positionTopic;
    this.#mayCreate = createTopics;
    this.#key = encoder.encode(transactionalId);
  }

  /** Makes sure that the topic is there. Rejects with UnreachableError or TransactionError. */
  async ready(): Promise<void> {
    await this.#cluster.know([this.#topic]);
    if (this.#state().kind === "there") return;
    if (this.#mayCreate) {
      await this.#create();
      await this.#cluster.refresh([this.#topic]);
    }
    const state = this.#state();
    if (state.kind === "there") return;
    // Brokers hear of a new topic some ms later.
    throw new TransactionError(this.#mayCreate ? "busy" : "refused", state.reason);
  }

  /** The position behind the next batch, and the run that stores it. Only after `ready`. */
  next(): PositionRecord {
    const value = encoder.encode(JSON.stringify({ life: this.#life, batch: ++this.#batches }));
    const atMs = this.#clock.wallMs();
    const record: RecordSource = {
      acceptedAtMs: () => atMs,
      copyValue: (_, target, offset) => {
        target.set(value, offset);
        return value.length;
      },
      headers: () => [],
      isCloudEvent: () => false,
      key: () => this.#key,
      valueLength: () => value.length,
    };
    const state = this.#state();
    const partition = state.kind === "there" ? partitionOf(this.#key, state.leaders.length) : 0;
    return {
      record,
      run: new PartitionRun({ topic: this.#topic, partition, order: Int32Array.of(0), from: 0, to: 1 }),
    };
  }

  /** Asks as a reader of `read_committed` what became of `position`, whose transaction is at its end. */
  async fateOf(position: StoredPosition): Promise<PositionFate> {
    try {
      await this.#cluster.know([this.#topic]);
      const state = this.#state();
      if (state.kind === "missing") return { kind: "gone", reason: state.reason };
      return await this.#fetch(position, state.leaders[position.partition] ?? -1);
    } catch (error) {
      this.#cluster.outdated();
      if (error instanceof UnreachableError) return { kind: "hidden", reason: error.message };
      throw error;
    }
  }

  async #fetch({ partition, offset, producerId }: StoredPosition, leader: number): Promise<PositionFate> {
    const connection = await this.#cluster.controlConnection(leader);
    const { ResponseError, fetchV12 } = this.#client;
    const asked = {
      partition,
      currentLeaderEpoch: NO_EPOCH,
      fetchOffset: offset,
      lastFetchedEpoch: NO_EPOCH,
      partitionMaxBytes: ONE_BATCH_BYTES,
    };
    let answer;
    try {
      answer = await this.#cluster.ask(connection, (connection) =>
        fetchV12.api.async(
          connection,
          0,
          0,
          ONE_BATCH_BYTES,
          READ_COMMITTED,
          NO_SESSION.id,
          NO_SESSION.epoch,
          [{ topicId: this.#topic, partitions: [asked] }],
          [],
          "",
        ));
    } catch (error) {
      if (!(error instanceof ResponseError)) {
        throw new UnreachableError(`broker ${leader} told no position: ${causeOf(error)}`, { cause: error });
      }
      answer = error.response as Awaited<ReturnType<typeof fetchV12.api.async>>;
    }
    const found = answer.responses[0]?.partitions[0];
    if (found === undefined || found.errorCode !== 0) {
      this.#cluster.outdated();
      const code = found?.errorCode ?? answer.errorCode;
      const reason = `broker ${leader} told no position: ${describeCode(code)}`;
      return { kind: GONE.includes(code) ? "gone" : "hidden", reason };
    }
    if (found.lastStableOffset <= offset) {
      return { kind: "hidden", reason: `a transaction before the position in ${this.#topic} is still open` };
    }
    const isAborted = found.abortedTransactions?.some((each) =>
      each.producerId === producerId && each.firstOffset <= offset
    );
    return { kind: isAborted ? "aborted" : "committed" };
  }

  #state(): TopicState {
    return this.#cluster.known.get(this.#topic) ??
      { kind: "missing", reason: `nothing is known of ${this.#topic}` };
  }

  async #create(): Promise<void> {
    const connection = await this.#cluster.any();
    const { ResponseError, ProtocolError, createTopicsV6 } = this.#client;
    const topic = {
      name: this.#topic,
      numPartitions: PARTITIONS,
      replicationFactor: BROKERS_DEFAULT,
      assignments: [],
      configs: [{ name: "cleanup.policy", value: "compact" }],
    };
    try {
      await this.#cluster.ask(
        connection,
        (connection) => createTopicsV6.api.async(connection, [topic], CREATE_TIMEOUT_MS, false),
      );
    } catch (error) {
      const isThere = error instanceof ResponseError &&
        error.errors.some((each) => each instanceof ProtocolError && each.apiCode === TOPIC_ALREADY_EXISTS);
      if (isThere) return;
      throw new UnreachableError(`cannot create the topic ${this.#topic}: ${causeOf(error)}`, {
        cause: error,
      });
    }
  }
}
