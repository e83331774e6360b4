/** The record batches of a Produce request, as a broker gets them. @module */
import { Reader } from "@platformatic/kafka";
import { assert } from "@std/assert";
import type { Buffer } from "node:buffer";

/** A record batch in a request. */
export interface SentBatch {
  readonly partition: number;
  /** Its length with its head: what `max.message.bytes` is about. */
  readonly bytes: number;
  /** Records in it. */
  readonly count: number;
}

/** Those of `request`, a Produce request of version 9 with its length in front. */
export function batchesOf(request: Buffer): SentBatch[] {
  assert(request.readInt16BE(6) === 9, "a Produce request of version 9");
  const clientIdBytes = Math.max(0, request.readInt16BE(12));
  const reader = Reader.from(request.subarray(14 + clientIdBytes));
  reader.readTaggedFields();
  reader.readNullableString(); // transactional id
  reader.skip(2 + 4); // acks, timeout
  const batches: SentBatch[] = [];
  reader.readArray((topic) => {
    topic.readString();
    topic.readArray((each) => {
      const partition = each.readInt32();
      const records = each.readBytes();
      assert(records.length === 12 + records.readInt32BE(8), "one batch for each partition");
      batches.push({ partition, bytes: records.length, count: records.readInt32BE(57) });
    });
  });
  return batches;
}
