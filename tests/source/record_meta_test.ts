/** What stands beside a record that came from Kafka. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { BatchBit, type FetchedBatch, type FetchedRecord } from "../../src/source/fetched.ts";
import { KafkaRecordMeta } from "../../src/source/record_meta.ts";
import { metaBytes, readHeaders, writeMeta } from "../../src/core/record.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (view: Uint8Array) => new TextDecoder().decode(view);

const BATCH: FetchedBatch = {
  firstOffset: 0n,
  lastOffsetDelta: 0,
  attributes: 0,
  firstTimestamp: 1_700_000_000_000n,
  maxTimestamp: 1_700_000_009_000n,
  producerId: -1n,
  records: [],
};
const RECORD: FetchedRecord = {
  length: 10,
  offsetDelta: 0,
  timestampDelta: 250n,
  key: null,
  value: bytes("{}"),
  headers: [],
};

/** The id of a topic, and as Kafka's tools print it. */
const TOPIC_ID = "fb93ef5c-0f43-4c4d-8a3c-4d0f3c1e5a7b";
const PRINTED = "-5PvXA9DTE2KPE0PPB5aew";

function metaOf(partition: number, maxBytes = 4096): KafkaRecordMeta {
  const meta = new KafkaRecordMeta("orders", partition, maxBytes);
  meta.useTopicId(TOPIC_ID);
  return meta;
}

Deno.test("KafkaRecordMeta.set() names a record by topic, its id, partition and offset, whatever came before it", () => {
  const meta = metaOf(3);
  for (const offset of [0, 9, 10, 1_234_567_890_123, 7, Number.MAX_SAFE_INTEGER]) {
    assertEquals(meta.set(BATCH, RECORD, offset, 0), null);
    assertEquals(text(meta.id), `orders-${PRINTED}-3-${offset}`);
  }
});

Deno.test("KafkaRecordMeta.useTopicId() tells records of a topic that was made anew from those of the old one", () => {
  const meta = metaOf(0);
  meta.set(BATCH, RECORD, 0, 0);
  const before = text(meta.id);
  meta.useTopicId("00000000-0000-0000-0000-000000000001");
  meta.set(BATCH, RECORD, 0, 0);
  assertEquals([before, text(meta.id)], [`orders-${PRINTED}-0-0`, "orders-AAAAAAAAAAAAAAAAAAAAAQ-0-0"]);
});

Deno.test("KafkaRecordMeta.set() takes the record's own time, the broker's where it sets it, and now for none", () => {
  const meta = metaOf(0, 4096);
  meta.set(BATCH, RECORD, 0, 5);
  assertEquals(meta.acceptedAtMs, 1_700_000_000_250);
  meta.set({ ...BATCH, attributes: BatchBit.LOG_APPEND_TIME }, RECORD, 0, 5);
  assertEquals(meta.acceptedAtMs, 1_700_000_009_000);
  meta.set({ ...BATCH, firstTimestamp: -1n }, { ...RECORD, timestampDelta: 0n }, 0, 5);
  assertEquals(meta.acceptedAtMs, 5);
  // Such a time stopped the whole sink behind it: no dated index can be named after it.
  meta.set({ ...BATCH, firstTimestamp: 2n ** 62n }, RECORD, 0, 5);
  assertEquals(new Date(meta.acceptedAtMs).toISOString(), "9999-12-31T23:59:59.999Z");
});

Deno.test("KafkaRecordMeta.set() keeps headers byte for byte, and one without a value as an empty one", () => {
  const meta = metaOf(0, 4096);
  const headers = [[bytes("trace"), bytes("ä1")], [bytes("empty"), null]] as const;
  assertEquals(meta.set(BATCH, { ...RECORD, headers }, 0, 0), null);
  const stored = new ArrayBuffer(metaBytes(meta));
  writeMeta(meta, new Uint8Array(stored), new Uint32Array(stored), 0);
  assertEquals(readHeaders(new Uint8Array(stored), new Uint32Array(stored), 0), [["trace", "ä1"], [
    "empty",
    "",
  ]]);
});

Deno.test("KafkaRecordMeta.set() says why a key or headers cannot be kept", () => {
  const meta = metaOf(0, 100);
  assertStringIncludes(meta.set(BATCH, { ...RECORD, key: new Uint8Array(2000) }, 0, 0)!, "longer than 1024");
  const headers = [[bytes("h"), new Uint8Array(90)]] as const;
  assertStringIncludes(meta.set(BATCH, { ...RECORD, headers }, 0, 0)!, "more than the 100");
  const huge = [[bytes("h"), new Uint8Array(70_000)]] as const;
  assertStringIncludes(meta.set(BATCH, { ...RECORD, headers: huge }, 0, 0)!, "fit beside a record");
});
