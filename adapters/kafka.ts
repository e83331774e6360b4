/**
 * Sends batches to Kafka, in order per key, each record stored once as long as the process lives. Batches carry a
 * producer id and a sequence, and one that may be stored stays here, asked for under the same sequence, until the broker
 * says; sending it as a new one could store it twice. What brokers say of their load (`throttle_time_ms`) is passed on.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { rejectedBy } from "../src/core/clock.ts";
import {
  allRetryable,
  type Batch,
  defineSink,
  type SinkAdapter,
  type SinkContext,
  type SinkDefinition,
  type WriteResult,
} from "../src/sink/adapter.ts";
import { encodedBytesOf } from "../src/sink/encoded_bytes.ts";
import { CLIENT_ENV, CLIENT_FOLDER, type KafkaClient, loadClient } from "./kafka/client.ts";
import { Cluster, UnreachableError } from "./kafka/cluster.ts";
import { Delivery } from "./kafka/delivery.ts";
import type { DeliveryContext } from "./kafka/delivery_context.ts";
import { FenceWatch } from "./kafka/fence_watch.ts";
import { type Compression, type KafkaOptions, optionsSchema } from "./kafka/options.ts";
import { WriteOutcomes } from "./kafka/outcomes.ts";
import { PartitionRun } from "./kafka/partition_run.ts";
import { NOWHERE, Placement } from "./kafka/placement.ts";
import { PositionTopic } from "./kafka/position_topic.ts";
import { initIdempotent, Producer } from "./kafka/producer.ts";
import {
  BATCH_HEADER_BYTES,
  type Codec,
  type ProducerIdentity,
  RecordBatchEncoder,
} from "./kafka/record_batch.ts";
import { securityOf } from "./kafka/security.ts";
import { Throttle } from "./kafka/throttle.ts";
import { TopicChoice } from "./kafka/topic_choice.ts";
import { TransactionCoordinator } from "./kafka/transaction_coordinator.ts";
import { Transactions } from "./kafka/transactions.ts";

export type { KafkaOptions } from "./kafka/options.ts";

class KafkaSink implements SinkAdapter {
  readonly #choice: TopicChoice;
  readonly #placement: Placement;
  readonly #closing = new AbortController();
  readonly #context: DeliveryContext;
  readonly #transactions: Transactions | null;
  /** The write before, so that numbers are taken in the order of the writes. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: KafkaClient, options: KafkaOptions, cluster: Cluster, context: SinkContext) {
    const { clock, log, failing } = context;
    this.#choice = new TopicChoice(options.topic);
    this.#placement = new Placement(options.maxBatchBytes);
    const coordinator = options.transactional
      ? new TransactionCoordinator(
        client,
        cluster,
        transactionalIdOf(options, context),
        options.transactionTimeoutMs,
      )
      : null;
    this.#context = {
      client,
      cluster,
      producer: new Producer(takerOf(client, cluster, options, coordinator)),
      transactionalId: coordinator?.transactionalId ?? null,
      encoder: new RecordBatchEncoder(codecOf(client, options.compression), options.transactional),
      options,
      clock,
      log,
      throttle: new Throttle(clock),
      failing: failing ?? (() => {}),
      closing: this.#closing.signal,
      learnedBytes: new Map(),
    };
    this.#transactions = coordinator && new Transactions({
      context: this.#context,
      coordinator,
      positions: new PositionTopic(client, cluster, clock, options, coordinator.transactionalId),
      fences: new FenceWatch(clock, coordinator.transactionalId, options.transactionTimeoutMs),
    });
  }

  async write(batch: Batch, signal: AbortSignal): Promise<WriteResult> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = Promise.all([before, promise]);
    try {
      // A write that began before the answer that asked for silence keeps to it too.
      const mayStart = before.then(() => this.#context.throttle.over(this.#closing.signal));
      await Promise.race([mayStart, abortOf(signal)]);
      if (signal.aborted) {
        return allRetryable(batch, "the write before it has no answer yet, or the broker wants none for now");
      }
      return await this.#deliver(batch, signal);
    } finally {
      resolve();
    }
  }

  /** By the records' places in the whole write: what its partition's batch adds is not known before it is placed. */
  encodedBytes(batch: Batch): number {
    const { encoder } = this.#context;
    const firstMs = batch.acceptedAtMs(0);
    return BATCH_HEADER_BYTES +
      encodedBytesOf(batch, (_, i) => encoder.recordBytes(batch, i, batch.acceptedAtMs(i) - firstMs, i));
  }

  /** Asks whether there is a topic to write to, and the right to write at all. */
  async check(signal: AbortSignal): Promise<void> {
    await Promise.race([this.#check(signal), rejectedBy(signal)]);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the sink was closed before the broker told what became of a batch"));
    await this.#context.cluster.close();
  }

  async #check(signal: AbortSignal): Promise<void> {
    const { cluster, producer } = this.#context;
    await cluster.refresh(this.#choice.topics);
    const missing = this.#choice.topics.map((topic) => cluster.known.get(topic))
      .filter((state) => state?.kind === "missing");
    // Where records choose among topics, one that is there is enough for some of them.
    if (missing.length === this.#choice.topics.length) throw new Error(missing[0].reason);
    if (this.#transactions === null) await producer.ready();
    else await this.#transactions.check(signal);
  }

  async #deliver(batch: Batch, signal: AbortSignal): Promise<WriteResult> {
    const outcomes = new WriteOutcomes(batch.count);
    const topicOf = this.#chooseTopics(batch, outcomes);
    const names = this.#choice.topics;
    const { cluster } = this.#context;
    try {
      await cluster.know(names.filter((_, t) => topicOf.includes(t)));
    } catch (error) {
      if (error instanceof UnreachableError) return this.#retryAll(batch, topicOf, outcomes, error.message);
      throw error;
    }
    for (let i = 0; i < batch.count; i++) {
      if (topicOf[i] === NOWHERE) continue;
      const state = cluster.known.get(names[topicOf[i]]);
      if (state?.kind !== "missing") continue;
      outcomes.retry(i, state.reason);
      topicOf[i] = NOWHERE;
    }
    const { retryReason } = outcomes;
    if (this.#transactions !== null && retryReason !== null) {
      outcomes.undo(retryReason);
      return outcomes.result(0);
    }
    const runs = this.#placement.place(batch, topicOf, names, cluster.known).map((run) =>
      new PartitionRun(run)
    );
    if (this.#transactions !== null) await this.#transactions.send(batch, runs, outcomes, signal);
    else await new Delivery(this.#context, batch, outcomes, signal).send(runs);
    return outcomes.result(this.#context.throttle.leftMs);
  }

  #chooseTopics(batch: Batch, outcomes: WriteOutcomes): Int32Array {
    const topicOf = new Int32Array(batch.count);
    for (let i = 0; i < batch.count; i++) {
      const topic = this.#choice.of(batch, i);
      if (typeof topic === "string") outcomes.reject(i, topic);
      topicOf[i] = typeof topic === "string" ? NOWHERE : topic;
    }
    return topicOf;
  }

  #retryAll(batch: Batch, topicOf: Int32Array, outcomes: WriteOutcomes, reason: string): WriteResult {
    for (let i = 0; i < batch.count; i++) if (topicOf[i] !== NOWHERE) outcomes.retry(i, reason);
    outcomes.saturated();
    return outcomes.result(0);
  }
}

/** Each writer has transactions of its own. */
function transactionalIdOf(
  { transactionalId }: KafkaOptions,
  { gateway, sink, writer }: SinkContext,
): string {
  return `${transactionalId ?? `weir-${gateway}-${sink}`}-${writer}`;
}

/** How a producer gets its id; null where it has none. */
function takerOf(
  client: KafkaClient,
  cluster: Cluster,
  { idempotent }: KafkaOptions,
  coordinator: TransactionCoordinator | null,
): (() => Promise<ProducerIdentity>) | null {
  if (coordinator !== null) return () => coordinator.take();
  return idempotent ? () => initIdempotent(client, cluster) : null;
}

/** Resolves when `signal` is aborted. */
function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function codecOf({ compressionsAlgorithms }: KafkaClient, compression: Compression): Codec {
  const { bitmask, compressSync } = compressionsAlgorithms[compression];
  return {
    bits: bitmask,
    compress: compression === "none"
      ? null
      : (records) => compressSync(Buffer.from(records.buffer, records.byteOffset, records.length)),
  };
}

/** Sends batches to Kafka. */
export const kafkaSink: SinkDefinition<KafkaOptions> = defineSink<KafkaOptions>({
  type: "kafka",
  config: optionsSchema,
  hints: () => ({
    maxRecords: 10_000,
    maxBytes: 2_097_152,
    lingerMs: 5,
    framingBytes: 20,
    // One is on its way while the next one is put together.
    writesInFlight: 2,
  }),
  permissions: ({ brokers, tls = {} }) => ({
    net: [...brokers],
    env: [...CLIENT_ENV],
    read: [CLIENT_FOLDER, ...[tls.ca, tls.cert, tls.key].filter((path) => path !== undefined)],
  }),
  async open(options, context) {
    const client = await loadClient();
    const cluster = new Cluster(client, options, await securityOf(options), context.clock);
    const sink = new KafkaSink(client, options, cluster, context);
    try {
      await cluster.refresh(new TopicChoice(options.topic).topics);
    } catch (error) {
      await sink.close();
      throw error;
    }
    return sink;
  },
});
