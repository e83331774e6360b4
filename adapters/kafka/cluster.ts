/**
 * The brokers as one writer knows them: connections, and which broker leads which partition. Asked anew before it is
 * sent to a topic that is not known, after an answer that shows it is out of date, and once a minute, for partitions
 * that were added.
 *
 * @module
 */
import type { Broker, Connection, ConnectionPool } from "@platformatic/kafka";
import type { Clock } from "../../src/core/clock.ts";
import { causeOf } from "./failure.ts";
import type { KafkaClient } from "./client.ts";
import { describeCode } from "./error_codes.ts";
import type { KafkaOptions } from "./options.ts";
import { brokerOf, type Security } from "./security.ts";

const MAX_AGE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** How much later than the library's own deadlines ours are. */
const GRACE_MS = 5_000;
const NOT_FOUND = 3;
const LEADER_NOT_AVAILABLE = 5;

/** A topic: the broker that leads each partition (-1: none now), or what is wrong with it. */
export type TopicState =
  | { readonly kind: "there"; readonly leaders: readonly number[] }
  | { readonly kind: "missing"; readonly reason: string };

/** A failed connection: nothing was sent. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/** Brokers of one cluster. */
export class Cluster {
  readonly #client: KafkaClient;
  readonly #options: KafkaOptions;
  readonly #clock: Clock;
  readonly #pool: ConnectionPool;
  /** Beside the others, as a broker that throttles a producer reads nothing more from its connection. */
  readonly #controlPool: ConnectionPool;
  readonly #bootstrap: readonly Broker[];
  #nodes: ReadonlyMap<number, Broker> = new Map();
  readonly #topics: Map<string, TopicState> = new Map();
  #askedMs = -Infinity;

  constructor(client: KafkaClient, options: KafkaOptions, security: Security, clock: Clock) {
    this.#client = client;
    this.#options = options;
    this.#clock = clock;
    this.#bootstrap = options.brokers.map(brokerOf);
    const settings: ConstructorParameters<KafkaClient["ConnectionPool"]>[1] = {
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: options.requestTimeoutMs,
      ...security,
    };
    this.#pool = new client.ConnectionPool(options.clientId, settings);
    this.#controlPool = new client.ConnectionPool(options.clientId, settings);
  }

  /** The topics that were asked about, by name. */
  get known(): ReadonlyMap<string, TopicState> {
    return this.#topics;
  }

  /** Asks about `names` where nothing is known, or nothing new. Rejects with UnreachableError. */
  async know(names: readonly string[]): Promise<void> {
    const isOld = this.#clock.nowMs() - this.#askedMs > MAX_AGE_MS;
    if (isOld || names.some((name) => this.#topics.get(name)?.kind !== "there")) await this.refresh(names);
  }

  /** Something did not go as it should by what is known: the next `know` asks. */
  outdated(): void {
    this.#askedMs = -Infinity;
  }

  /** Asks the brokers about `names`. Rejects with UnreachableError where none answers. */
  async refresh(names: readonly string[]): Promise<void> {
    const response = await this.#metadata(names);
    this.#nodes = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    for (const name of names) {
      this.#topics.set(name, { kind: "missing", reason: `the brokers told nothing of the topic ${name}` });
    }
    for (const { name, errorCode, partitions } of response.topics) {
      if (name === null) continue;
      // A topic that is being created has none: a record could be placed nowhere.
      const isUsable = partitions.length > 0 && (errorCode === 0 || errorCode === LEADER_NOT_AVAILABLE);
      if (!isUsable) {
        this.#topics.set(name, { kind: "missing", reason: missingReason(name, errorCode) });
        continue;
      }
      const leaders: number[] = new Array(partitions.length).fill(-1);
      for (const { partitionIndex, leaderId } of partitions) {
        if (partitionIndex < leaders.length) leaders[partitionIndex] = leaderId;
      }
      this.#topics.set(name, { kind: "there", leaders });
    }
    this.#askedMs = this.#clock.nowMs();
  }

  /** A connection to broker `node`. Rejects with UnreachableError. */
  async connection(node: number): Promise<Connection> {
    return await this.#connect(this.#pool, [this.#broker(node)]);
  }

  /** A connection to broker `node` that no quota of a producer holds up. Rejects with UnreachableError. */
  async controlConnection(node: number): Promise<Connection> {
    return await this.#connect(this.#controlPool, [this.#broker(node)]);
  }

  /** A connection to any broker. Rejects with UnreachableError. */
  any(): Promise<Connection> {
    return this.#connect(this.#pool, [...this.#bootstrap, ...this.#nodes.values()]);
  }

  /** Closes all connections; requests in flight fail. */
  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#controlPool.close()]);
  }

  #broker(node: number): Broker {
    const broker = this.#nodes.get(node);
    if (broker === undefined) throw new UnreachableError(`the cluster names no broker ${node}`);
    return broker;
  }

  /**
   * What `request` gets over `connection`. Rejects where nothing comes, for longer than the library waits itself: a
   * promise that it forgot would hold a batch for ever. Such a connection is not used again.
   */
  async ask<T>(connection: Connection, request: (connection: Connection) => Promise<T>): Promise<T> {
    const waitMs = this.#options.requestTimeoutMs + GRACE_MS;
    return await this.#within(waitMs, request(connection), () => connection.close().catch(() => {}));
  }

  async #within<T>(waitMs: number, answer: Promise<T>, late: () => unknown): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = this.#clock.setTimer(() => {
      reject(new Error(`nothing came within ${waitMs} ms`));
      late();
    }, waitMs);
    try {
      return await Promise.race([answer, promise]);
    } finally {
      timer.cancel();
    }
  }

  async #connect(pool: ConnectionPool, brokers: readonly Broker[]): Promise<Connection> {
    const waitMs = brokers.length * CONNECT_TIMEOUT_MS + GRACE_MS;
    try {
      return await this.#within(waitMs, pool.getFirstAvailable([...brokers]), () => {});
    } catch (error) {
      const names = brokers.map(({ host, port }) => `${host}:${port}`);
      const [first] = new Set(names);
      throw new UnreachableError(
        `cannot connect to ${first}${names.length > 1 ? " or another broker" : ""}: ${causeOf(error)}`,
        { cause: error },
      );
    }
  }

  async #metadata(names: readonly string[]): Promise<MetadataAnswer> {
    const connection = await this.any();
    const { createTopics, positionTopic } = this.#options;
    // Brokers would make it with their own settings, and forget positions by age.
    const mayCreate = createTopics && !names.includes(positionTopic);
    try {
      return await this.ask(
        connection,
        (connection) => this.#client.metadataV9.api.async(connection, [...names], mayCreate),
      );
    } catch (error) {
      // It throws where a topic has an error, with all that was answered.
      if (error instanceof this.#client.ResponseError) return error.response as MetadataAnswer;
      throw new UnreachableError(`the brokers told nothing about topics: ${causeOf(error)}`, {
        cause: error,
      });
    }
  }
}

interface MetadataAnswer {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly topics: readonly {
    readonly name: string | null;
    readonly errorCode: number;
    readonly partitions: readonly { readonly partitionIndex: number; readonly leaderId: number }[];
  }[];
}

function missingReason(topic: string, code: number): string {
  return code === NOT_FOUND
    ? `there is no topic ${topic}; create it, or set createTopics`
    : `the topic ${topic} cannot be used: ${code === 0 ? "it has no partitions" : describeCode(code)}`;
}
