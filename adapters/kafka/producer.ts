/**
 * What makes a retry harmless: an id that the brokers gave, and a number for each batch of a partition. A batch keeps
 * both until its outcome is known, so that a broker which has it already says so instead of storing it again.
 *
 * @module
 */
import type { KafkaClient } from "./client.ts";
import { type Cluster, UnreachableError } from "./cluster.ts";
import { causeOf } from "./failure.ts";
import type { ProducerIdentity } from "./record_batch.ts";

/** Sequences are 31 bits, and go on at 0. */
const SEQUENCE_MASK = 0x7fffffff;
/** Of a producer that is not idempotent. */
const NO_ONE: ProducerIdentity = { id: -1n, epoch: -1 };
const NO_SEQUENCE = -1;

/** A batch's name for its brokers. */
export interface BatchNumber {
  readonly identity: ProducerIdentity;
  readonly sequence: number;
}

/** A broker that has just started gives no ids for a moment. */
export class NotYetError extends Error {
  override readonly name = "NotYetError";
}

/** The numbers of one writer's batches. */
export class Producer {
  readonly #isIdempotent: boolean;
  readonly #init: () => Promise<ProducerIdentity>;
  #identity: ProducerIdentity | null = null;
  /** The question for an id that has no answer yet: each answer makes those before it worthless. */
  #pending: Promise<ProducerIdentity> | null = null;
  /** Sequence of the next record, by topic and partition. */
  readonly #next: Map<string, number> = new Map();

  /** @param init gets an id from the brokers; null for a producer that is not idempotent, and has none */
  constructor(init: (() => Promise<ProducerIdentity>) | null) {
    this.#isIdempotent = init !== null;
    this.#init = init ?? (() => Promise.resolve(NO_ONE));
  }

  /** Gets an id where there is none. Rejects as `init` does. */
  async ready(): Promise<ProducerIdentity> {
    return this.#identity ?? await (this.#pending ??= this.#take());
  }

  /** The number for the next batch of a partition; the same until {@linkcode stored}. Only after `ready`. */
  number(topic: string, partition: number, identity: ProducerIdentity): BatchNumber {
    const sequence = this.#isIdempotent ? this.#next.get(`${topic}/${partition}`) ?? 0 : NO_SEQUENCE;
    return { identity, sequence };
  }

  /** A batch of `count` records is stored under `number`. */
  stored(topic: string, partition: number, { identity, sequence }: BatchNumber, count: number): void {
    if (identity !== this.#identity || !this.#isIdempotent) return;
    this.#next.set(`${topic}/${partition}`, (sequence + count) & SEQUENCE_MASK);
  }

  /** The brokers know `identity` no more: the next batch gets another one, and begins at 0. */
  forget(identity: ProducerIdentity): void {
    if (identity !== this.#identity) return;
    this.#identity = null;
    this.#next.clear();
  }

  async #take(): Promise<ProducerIdentity> {
    try {
      return this.#identity = await this.#init();
    } finally {
      this.#pending = null;
    }
  }
}

/** Gets an id for an idempotent producer. Rejects with UnreachableError or NotYetError. */
export async function initIdempotent(client: KafkaClient, cluster: Cluster): Promise<ProducerIdentity> {
  const connection = await cluster.any();
  try {
    const { producerId, producerEpoch } = await cluster.ask(
      connection,
      (connection) => client.initProducerIdV4.api.async(connection, null, 0, -1n, -1),
    );
    return { id: producerId, epoch: producerEpoch };
  } catch (error) {
    const reason = `the brokers gave no producer id: ${causeOf(error)}`;
    const isSoon = error instanceof client.ResponseError &&
      client.findErrorBy(error, "canRetry", true) !== null;
    throw isSoon ? new NotYetError(reason, { cause: error }) : new UnreachableError(reason, { cause: error });
  }
}
