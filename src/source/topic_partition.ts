/**
 * A partition by name and number, and what brokers say of a single one: their answers stand for it alone, so that what
 * is wrong with one costs the others nothing.
 *
 * @module
 */
import { Fault } from "./kafka_faults.ts";

/** A partition by name and number. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A partition and an offset in it. */
export interface PartitionOffset extends TopicPartition {
  readonly offset: number;
}

/** What a broker says of one partition. */
export interface PartitionAnswer extends TopicPartition {
  /** Number of the error in the protocol; 0 when there is none. */
  readonly errorCode: number;
  /** Its name in the protocol. */
  readonly errorName: string;
}

/** What tells a partition from all others. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

/** What is wrong with the partition of `answer`, for people. */
export function faultOf({ topic, partition, errorName, errorCode }: PartitionAnswer): string {
  return `topic ${topic}, partition ${partition}: ${errorName} (${errorCode})`;
}

/** Whether the broker does not know the partition: its topic may be gone. */
export function isUnknownPartition({ errorName }: PartitionAnswer): boolean {
  return errorName === Fault.UNKNOWN_TOPIC_OR_PARTITION || errorName === Fault.UNKNOWN_TOPIC_ID;
}
