/**
 * The broker that keeps the book of one transactional id. A request is tried once here, and what came of it is told by
 * one word: who asked knows whether asking again is harmless.
 *
 * @module
 */
import type { Connection } from "@platformatic/kafka";
import type { KafkaClient } from "./client.ts";
import { type Cluster, UnreachableError } from "./cluster.ts";
import { describeCode, isFence } from "./error_codes.ts";
import { causeOf } from "./failure.ts";
import type { ProducerIdentity } from "./record_batch.ts";

const TRANSACTION_KEY = 1;
const NO_PRODUCER_ID = -1n;
const NO_PRODUCER_EPOCH = -1;
/** COORDINATOR_LOAD_IN_PROGRESS, _NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS. */
const BUSY: readonly number[] = [14, 15, 16, 51];
/** Of these, another broker may keep the book now. */
const MOVED: readonly number[] = [15, 16];
/** OPERATION_NOT_ATTEMPTED: another partition is what the answer is about. */
const NOT_ATTEMPTED = 55;

/** Why the coordinator did not do what was asked. */
export type Refusal =
  /** It was not asked: no connection. */
  | "unreachable"
  /** It may have done it: no answer. */
  | "unanswered"
  /** It will soon. */
  | "busy"
  /** The id is another producer's now, or the transaction was open for too long. */
  | "fenced"
  /** It does not, for a reason that someone must see to. */
  | "refused";

/** A part of a transaction was not done, or is not known to be done. */
export class TransactionError extends Error {
  override readonly name = "TransactionError";
  /** Why. */
  readonly refusal: Refusal;

  constructor(refusal: Refusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.refusal = refusal;
  }
}

/** Partitions by topic. */
export type TopicPartitions = ReadonlyMap<string, readonly number[]>;

/** The coordinator of one id. */
export class TransactionCoordinator {
  /** The id. */
  readonly transactionalId: string;
  readonly #client: KafkaClient;
  readonly #cluster: Cluster;
  readonly #timeoutMs: number;
  #node: number | null = null;
  #connection: Connection | null = null;
  #connections = 0;

  /** @param timeoutMs how long a transaction may be open */
  constructor(client: KafkaClient, cluster: Cluster, transactionalId: string, timeoutMs: number) {
    this.#client = client;
    this.#cluster = cluster;
    this.transactionalId = transactionalId;
    this.#timeoutMs = timeoutMs;
  }

  /** Takes the id: whoever had it is fenced, and what it left open is aborted, or committed if it had asked for that. */
  async take(): Promise<ProducerIdentity> {
    const { producerId, producerEpoch } = await this.#ask(
      "takes no producer for its transactions",
      (connection) =>
        // An id and epoch of 0, which the library would send, are fenced at once.
        this.#client.initProducerIdV4.api.async(
          connection,
          this.transactionalId,
          this.#timeoutMs,
          NO_PRODUCER_ID,
          NO_PRODUCER_EPOCH,
        ),
    );
    return { id: producerId, epoch: producerEpoch };
  }

  /** Adds partitions to the transaction; the first ones begin it. All or none. */
  async add({ id, epoch }: ProducerIdentity, partitions: TopicPartitions): Promise<void> {
    const topics = [...partitions].map(([name, each]) => ({ name, partitions: [...each] }));
    const transaction = {
      transactionalId: this.transactionalId,
      producerId: id,
      producerEpoch: epoch,
      verifyOnly: false,
      topics,
    };
    await this.#ask(
      "adds no partitions to the transaction",
      (connection) => this.#client.addPartitionsToTxnV3.api.async(connection, [transaction]),
    );
  }

  /** Commits the transaction. */
  async commit({ id, epoch }: ProducerIdentity): Promise<void> {
    await this.#ask(
      "did not commit",
      (connection) => this.#client.endTxnV3.api.async(connection, this.transactionalId, id, epoch, true),
    );
  }

  /** Commits a transaction without records over `partitions`: each gets a mark that ends what its readers took for open. */
  async commitEmpty(identity: ProducerIdentity, partitions: TopicPartitions): Promise<void> {
    await this.add(identity, partitions);
    await this.commit(identity);
  }

  /** How many connections there were: another number, another connection. */
  get connections(): number {
    return this.#connections;
  }

  /** Connects if need be; resolves to {@linkcode connections}. */
  async connect(): Promise<number> {
    await this.#connect();
    return this.#connections;
  }

  async #ask<T>(failed: string, request: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#connect();
    try {
      return await this.#cluster.ask(connection, request);
    } catch (error) {
      throw this.#errorOf(error, `the coordinator of ${this.transactionalId} ${failed}`);
    }
  }

  async #connect(): Promise<Connection> {
    try {
      const node = this.#node ??= await this.#find(await this.#cluster.any());
      const connection = await this.#cluster.controlConnection(node);
      if (connection !== this.#connection) this.#connections++;
      return this.#connection = connection;
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      this.#node = null;
      throw new TransactionError("unreachable", error.message, { cause: error });
    }
  }

  async #find(connection: Connection): Promise<number> {
    try {
      const { coordinators: [found] } = await this.#cluster.ask(
        connection,
        (connection) =>
          this.#client.findCoordinatorV3.api.async(connection, TRANSACTION_KEY, [this.transactionalId]),
      );
      return found.nodeId;
    } catch (error) {
      const told = this.#errorOf(error, `no coordinator of ${this.transactionalId} was named`);
      // Nothing was asked of the coordinator itself.
      if (told.refusal !== "unanswered") throw told;
      throw new TransactionError("unreachable", told.message, { cause: error });
    }
  }

  #errorOf(error: unknown, failed: string): TransactionError {
    const code = this.#codeOf(error);
    if (code === null || MOVED.includes(code)) this.#node = null;
    if (code === null) {
      return new TransactionError("unanswered", `${failed}: ${causeOf(error)}`, { cause: error });
    }
    const refusal = BUSY.includes(code) ? "busy" : isFence(code) ? "fenced" : "refused";
    return new TransactionError(refusal, `${failed}: ${describeCode(code)}`, { cause: error });
  }

  /** The code of the answer that `error` is about; null where there was none. */
  #codeOf(error: unknown): number | null {
    const { ResponseError, ProtocolError } = this.#client;
    if (!(error instanceof ResponseError)) return null;
    const codes = error.errors.filter((each) => each instanceof ProtocolError).map(({ apiCode }) =>
      Number(apiCode)
    );
    return codes.find((code) => code !== NOT_ATTEMPTED) ?? codes[0] ?? null;
  }
}
