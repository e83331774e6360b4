/**
 * The Produce request, version 9 (Kafka 2.4 and up): encoded batches go in as they are, and the answer comes out with a
 * code for each partition. The library's own form takes records, and throws the answer away where one partition failed.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Connection } from "@platformatic/kafka";
import type { KafkaClient } from "./client.ts";

const PRODUCE = 0;
const VERSION = 9;

/** A batch for a partition. */
export interface PartitionData {
  readonly partition: number;
  /** An encoded and sealed record batch. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What a request is about. */
export interface ProduceRequest {
  /** Id of the producer's transactions, or null. */
  readonly transactionalId: string | null;
  /** -1: all in-sync replicas; 1: the leader. */
  readonly acks: -1 | 1;
  /** How long the leader may wait for the others. */
  readonly timeoutMs: number;
  /** At most one batch per partition. */
  readonly topics: ReadonlyMap<string, readonly PartitionData[]>;
}

/** The answer for one partition. */
export interface PartitionAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly code: number;
  /** Offset of the batch's first record; -1 where it is not stored. */
  readonly offset: bigint;
  readonly message: string | null;
  /** Records of the batch that broke a rule, by index, with what it was; empty where the broker names none. */
  readonly invalid: ReadonlyMap<number, string>;
}

/** The answer. */
export interface ProduceAnswer {
  readonly partitions: readonly PartitionAnswer[];
  /** How long the broker wants to hear nothing. */
  readonly throttleMs: number;
}

/** Sends `request`; rejects where no answer came. */
export function produce(
  client: KafkaClient,
  connection: Connection,
  request: ProduceRequest,
): Promise<ProduceAnswer> {
  return new Promise((resolve, reject) => {
    connection.send<ProduceAnswer>(
      PRODUCE,
      VERSION,
      () => write(client, request),
      (_correlation, _api, _version, reader) => read(reader),
      true,
      true,
      (error, answer) => error ? reject(error) : resolve(answer as ProduceAnswer),
    );
  });
}

function write(
  { Writer }: KafkaClient,
  { transactionalId, acks, timeoutMs, topics }: ProduceRequest,
): InstanceType<KafkaClient["Writer"]> {
  return Writer.create().appendString(transactionalId).appendInt16(acks).appendInt32(timeoutMs)
    .appendArray([...topics], (writer, [topic, partitions]) => {
      writer.appendString(topic).appendArray([...partitions], (inner, { partition, bytes }) => {
        inner.appendInt32(partition).appendUnsignedVarInt(bytes.length + 1)
          .append(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      });
    }).appendTaggedFields();
}

function read(reader: InstanceType<KafkaClient["Reader"]>): ProduceAnswer {
  const partitions: PartitionAnswer[] = [];
  reader.readArray(
    (topicReader) => {
      const topic = topicReader.readString();
      topicReader.readArray((each) => partitions.push(readPartition(each, topic)), true, false);
      topicReader.readTaggedFields();
    },
    true,
    false,
  );
  const throttleMs = reader.readInt32();
  reader.readTaggedFields();
  return { partitions, throttleMs };
}

function readPartition(reader: InstanceType<KafkaClient["Reader"]>, topic: string): PartitionAnswer {
  const partition = reader.readInt32();
  const code = reader.readInt16();
  const offset = reader.readInt64();
  reader.skip(8 + 8); // log append time, log start offset
  const invalid = new Map<number, string>();
  reader.readArray(
    (each) => {
      invalid.set(each.readInt32(), each.readNullableString() ?? "");
      each.readTaggedFields();
    },
    true,
    false,
  );
  const message = reader.readNullableString();
  reader.readTaggedFields();
  return { topic, partition, code, offset, message, invalid };
}
