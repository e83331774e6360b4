/** Readers come and go; what they counted and what is under way does not get lost. @module */
import { assertEquals } from "@std/assert";
import { PartitionReaders } from "../../src/source/partition_readers.ts";
import { FakeStream } from "../ingress/fake_exchange.ts";
import { batchOf } from "./fetched_records.ts";

const TOPIC_ID = "00000000-0000-0000-0000-000000000001";

function open(partitions: number): { stream: FakeStream; readers: PartitionReaders; changes: () => number } {
  const stream = new FakeStream({ segments: 16 });
  let changes = 0;
  const readers = new PartitionReaders({
    door: () => stream.door,
    refuse: (record) => record.done(),
    onChange: () => changes++,
  });
  for (let partition = 0; partition < partitions; partition++) readers.add({ topic: "t", partition }, 0, -1);
  return { stream, readers, changes: () => changes };
}

Deno.test("PartitionReaders.removeWhere() keeps what those have counted that are gone", () => {
  const { readers } = open(2);
  const [first, second] = readers;
  first.offer(TOPIC_ID, [batchOf(["1", "2", "no json"])], 3, () => {});
  second.offer(TOPIC_ID, [batchOf(["3"])], 1, () => {});
  readers.removeWhere(({ partition }) => partition === 0);
  assertEquals([...readers].map(({ partition }) => partition), [1]);
  assertEquals(readers.counts, { taken: 3, refused: 1 });
  readers.removeWhere(() => true);
  assertEquals(readers.counts, { taken: 3, refused: 1 });
});

Deno.test("PartitionReaders.settled() resolves when the last record of the last partition is settled", async () => {
  const { stream, readers, changes } = open(2);
  let settled = false;
  const [first, second] = readers;
  first.offer(TOPIC_ID, [batchOf(["1"])], 1, () => {});
  stream.hold();
  second.offer(TOPIC_ID, [batchOf(["2"])], 1, () => {});
  stream.hold();
  readers.stop();
  const waits = readers.settled().then(() => settled = true);
  const before = changes();
  stream.settle(1);
  await Promise.resolve();
  assertEquals([settled, changes()], [false, before + 1]);
  stream.settle(1);
  await waits;
  assertEquals([first.settledTo, second.settledTo], [1, 1]);
});
