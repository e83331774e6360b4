/** Batches as the client library parses them, without a broker. @module */
import { Buffer } from "node:buffer";
import type { FetchedBatch, FetchedRecord } from "../../src/source/fetched.ts";
import type { FetchedPartition } from "../../src/source/partition_answers.ts";

/** A batch of records with `values`, the first at `offset`. */
export function batchOf(values: readonly string[], offset = 0): FetchedBatch {
  const records = values.map((value, offsetDelta): FetchedRecord => ({
    length: value.length + 10,
    offsetDelta,
    timestampDelta: 0n,
    key: null,
    value: Buffer.from(value),
    headers: [],
  }));
  return {
    firstOffset: BigInt(offset),
    lastOffsetDelta: values.length - 1,
    attributes: 0,
    firstTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: -1n,
    records,
  };
}

/** What a broker gives of `partition` of topic `t`. */
export function fetchedOf(partition: number, batches: readonly FetchedBatch[]): FetchedPartition {
  return {
    topic: "t",
    partition,
    topicId: "00000000-0000-0000-0000-000000000001",
    errorCode: 0,
    errorName: "NONE",
    highWatermark: batches.reduce((end, { records }) => end + records.length, 0),
    aborted: [],
    batches,
  };
}
