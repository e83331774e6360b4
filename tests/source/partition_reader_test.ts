/** What a fetch brings enters the stream once, whatever the stream has room for. @module */
import { assert, assertEquals } from "@std/assert";
import { PartitionReader } from "../../src/source/partition_reader.ts";
import type { StreamPolicy } from "../../src/ingress/stream_door.ts";
import { FakeStream, SEGMENT_BYTES } from "../ingress/fake_exchange.ts";
import { batchOf } from "./fetched_records.ts";

const TOPIC_ID = "00000000-0000-0000-0000-000000000001";

function readerOf(stream: FakeStream): PartitionReader {
  return new PartitionReader({
    topic: "t",
    partition: 0,
    position: 0,
    committed: -1,
    door: stream.door,
    refuse: (record) => record.done(),
    onChange: () => {},
  });
}

Deno.test("PartitionReader.offer() takes as far as there is room, and goes on at the next record", async () => {
  const stream = new FakeStream({ segments: 4 });
  const reader = readerOf(stream);
  let done = 0;
  reader.offer(
    TOPIC_ID,
    [batchOf(Array.from({ length: 20 }, () => `"${"x".repeat(400)}"`))],
    20,
    () => done++,
  );
  assert(reader.isPaused && reader.takenRecords < 20);
  while (stream.hold() > 0) {
    stream.settle();
    await Promise.resolve();
  }
  assertEquals([reader.takenRecords, reader.settledTo, reader.isPaused, done], [20, 20, false, 1]);
});

// A key with escapes is stored behind its record. Where the open segment had room for the record and not for the key,
// and no other was free, the records before it were taken back too, and their offsets were committed all the same.
Deno.test("PartitionReader.offer() loses no record before one whose key finds no room", () => {
  const policy: Partial<StreamPolicy> = { keyPointer: "/k", validateJson: false };
  for (let length = SEGMENT_BYTES / 2; length < SEGMENT_BYTES; length++) {
    const stream = new FakeStream({ segments: 1, policy });
    const reader = readerOf(stream);
    const escaped = `{"k":"${"\\u0061".repeat(60)}","v":"`;
    const second = `${escaped}${"x".repeat(length - escaped.length - 2)}"}`;
    reader.offer(TOPIC_ID, [batchOf(['{"k":"a"}', second])], 2, () => {});
    assert(reader.takenRecords >= 1, `a second record of ${length} bytes`);
  }
});
