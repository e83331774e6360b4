/**
 * What brokers answer for each partition, out of what the client library makes of it: one partition with an error makes
 * the whole answer an error, and what there is of the others stands in that.
 *
 * @module
 */
import type { Consumer } from "@platformatic/kafka";
import type { AbortedTransaction, FetchedBatch } from "./fetched.ts";
import { Fault } from "./kafka_faults.ts";
import type { PartitionAnswer } from "./topic_partition.ts";

/** Names of the protocol's errors by their numbers. */
export type ErrorNames = Readonly<Record<number, string>>;

/** What was fetched of one partition, or why nothing was. */
export interface FetchedPartition extends PartitionAnswer {
  /** UUID of the topic: another one when a topic of this name was deleted and made anew. */
  readonly topicId: string;
  /** Offset behind the last record. */
  readonly highWatermark: number;
  /** Transactions that were aborted. */
  readonly aborted: readonly AbortedTransaction[];
  /** In the order of their offsets; those of aborted transactions among them. */
  readonly batches: readonly FetchedBatch[];
}

/** What a fetch brings, by topic. */
export type FetchResponses = Awaited<ReturnType<Consumer["fetch"]>>["responses"];

/** Answer to OffsetCommit (Kafka protocol, version 9), which the library hands out only in its errors. */
interface CommitAnswer {
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[];
  }[];
}

/** Errors of an OffsetCommit that are those of one partition; any other is the member's. */
const PARTITION_ERRORS: readonly string[] = [
  Fault.UNKNOWN_TOPIC_OR_PARTITION,
  Fault.UNKNOWN_TOPIC_ID,
  Fault.TOPIC_AUTHORIZATION_FAILED,
];

/** Each partition of `responses`; `topics` are the names of the topics by their ids, and others are left out. */
export function fetchedOf(
  responses: FetchResponses,
  topics: ReadonlyMap<string, string>,
  errorNames: ErrorNames,
): FetchedPartition[] {
  return responses.flatMap(({ topicId, partitions }) => {
    const topic = topics.get(topicId);
    if (topic === undefined) return [];
    return partitions.map((partition) => ({
      topic,
      topicId,
      partition: partition.partitionIndex,
      errorCode: partition.errorCode,
      errorName: nameOf(partition.errorCode, errorNames),
      highWatermark: Number(partition.highWatermark),
      aborted: partition.abortedTransactions ?? [],
      batches: partition.records ?? [],
    }));
  });
}

/** What a fetch that failed with `error` brought all the same; null for nothing. */
export function fetchedIn(error: unknown): FetchResponses | null {
  const responses = responseOf<{ readonly responses: FetchResponses }>(error)?.responses ?? [];
  return responses.length > 0 ? responses : null;
}

/**
 * The partitions whose offsets were not taken by a commit that failed with `error`, each for a fault of its own; null
 * when the fault is the member's, and none was taken.
 */
export function refusedIn(error: unknown, errorNames: ErrorNames): PartitionAnswer[] | null {
  const topics = responseOf<CommitAnswer>(error)?.topics ?? [];
  const refused = topics.flatMap(({ name, partitions }) =>
    partitions.filter(({ errorCode }) => errorCode !== 0).map(({ partitionIndex, errorCode }) => ({
      topic: name,
      partition: partitionIndex,
      errorCode,
      errorName: nameOf(errorCode, errorNames),
    }))
  );
  const isOfPartitions = refused.length > 0 &&
    refused.every(({ errorName }) => PARTITION_ERRORS.includes(errorName));
  return isOfPartitions ? refused : null;
}

function nameOf(errorCode: number, errorNames: ErrorNames): string {
  return errorNames[errorCode] ?? "an unknown error";
}

/** The answer that the library has made an error of; undefined when the error is another one. */
function responseOf<Answer>(error: unknown): Partial<Answer> | undefined {
  return (error as { readonly response?: Partial<Answer> }).response;
}
