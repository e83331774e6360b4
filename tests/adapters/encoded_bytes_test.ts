/** What adapters say that a record takes is what they write: limits in bytes count it. @module */
import { assert, assertEquals } from "@std/assert";
import { elasticsearchSink } from "../../adapters/elasticsearch.ts";
import { fileSink } from "../../adapters/file.ts";
import { httpSink } from "../../adapters/http.ts";
import { BATCH_HEADER_BYTES, RecordBatchEncoder } from "../../adapters/kafka/record_batch.ts";
import { createStdoutSink } from "../../adapters/stdout.ts";
import type { SinkDefinition } from "../../src/sink/adapter.ts";
import { HeapBatch, type HeapRecord } from "../support/heap_batch.ts";
import { startHttpTarget } from "./http_target.ts";
import { sinkContext } from "./open_sink.ts";

const NEVER = new AbortController().signal;
const EVENT: HeapRecord = {
  value: `{"n":1}`,
  cloudEvent: true,
  headers: [["ce-id", "1"], ["ce-source", "/a b"], ["content-type", "application/json"]],
};
/** JSON objects on one line and on two, and an event in binary mode. */
const RECORDS: readonly HeapRecord[] = [
  { value: `{"id":"a","team":"x"}` },
  { value: `{"id":"\\"b\\"",\n "team":"yy"}`, id: 'quoted "id"' },
  { value: `{"id":"${"c".repeat(400)}","team":"zzz","text":"${"long ".repeat(2000)}"}`, id: "i".repeat(300) },
];

/** Opens a sink with `options` and writes `records`; resolves to what it says of them. */
async function writtenBy<T>(
  definition: SinkDefinition<T>,
  options: Readonly<Record<string, unknown>>,
  records: readonly HeapRecord[],
): Promise<number> {
  const sink = await definition.open(definition.config.parse(options), sinkContext());
  try {
    const batch = new HeapBatch(records);
    const said = sink.encodedBytes!(batch);
    await sink.write(batch, NEVER);
    return said;
  } finally {
    await sink.close(NEVER);
  }
}

Deno.test("http encodedBytes() is what its bodies have", async () => {
  const target = await startHttpTarget();
  try {
    for (const format of ["ndjson", "array"]) {
      const said = await writtenBy(httpSink, { url: target.url, format }, [...RECORDS, EVENT]);
      assertEquals(said, target.seen.at(-1)!.body.length, format);
    }
  } finally {
    await target.close();
  }
});

Deno.test("elasticsearch encodedBytes() is what its bulks have, whatever their action lines hold", async () => {
  const target = await startHttpTarget();
  target.respond = (response) => response.end(`{"errors":false,"items":[]}`);
  try {
    const nodes = [new URL(target.url).origin];
    for (
      const options of [
        { index: "docs" },
        { index: "docs-{yyyy.MM.dd}", op: "create" },
        { index: { pointer: "/team", allow: ["x", "yy", "zzz"] }, id: "/id", routing: "/team" },
      ]
    ) {
      const records = "id" in options ? RECORDS : [...RECORDS, EVENT];
      const said = await writtenBy(elasticsearchSink, { nodes, ...options }, records);
      assertEquals(said, target.seen.at(-1)!.body.length, JSON.stringify(options));
    }
  } finally {
    await target.close();
  }
});

Deno.test("elasticsearch encodedBytes() counts what it will send, and is right for any batch in any order", async () => {
  const sink = await elasticsearchSink.open(
    elasticsearchSink.config.parse({ nodes: ["http://127.0.0.1:1"], index: "docs", id: "/id" }),
    sinkContext(),
  );
  assertEquals(sink.encodedBytes!(new HeapBatch([`{"without":"id"}`, "no object"])), 0);
  const [short, long] = [new HeapBatch([`{"id":"a"}`]), new HeapBatch([`{"id":"aa","n":1}`])];
  const line = (id: string, document: string) =>
    `{"create":{"_index":"docs","_id":"${id}"}}\n${document}\n`.length;
  for (const _ of [1, 2]) {
    assertEquals(sink.encodedBytes!(short), line("a", `{"id":"a"}`));
    assertEquals(sink.encodedBytes!(long), line("aa", `{"id":"aa","n":1}`));
  }
  await sink.close(NEVER);
});

Deno.test("file encodedBytes() is what it appends, in every framing", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weir_encoded_" });
  try {
    for (const framing of ["lines", "length", "base64"]) {
      const path = `${folder}/${framing}`;
      const said = await writtenBy(fileSink, { path, framing }, [...RECORDS, EVENT]);
      assertEquals(said, (await Deno.stat(path)).size, framing);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("stdout encodedBytes() is what it prints", async () => {
  let printed = 0;
  const definition = createStdoutSink({
    write: (bytes) => {
      printed += bytes.length;
      return Promise.resolve(bytes.length);
    },
  });
  assertEquals(await writtenBy(definition, {}, [...RECORDS, EVENT]), printed);
});

Deno.test("RecordBatchEncoder.recordBytes() is what it encodes, key and headers included", () => {
  const encoder = new RecordBatchEncoder({ bits: 0, compress: null }, false);
  const records = [{ ...RECORDS[0], key: "k".repeat(100) }, ...RECORDS, EVENT];
  const batch = new HeapBatch(records);
  let said = BATCH_HEADER_BYTES;
  for (let i = 0; i < batch.count; i++) {
    said += encoder.recordBytes(batch, i, batch.acceptedAtMs(i) - batch.acceptedAtMs(0), i);
  }
  const order = Int32Array.from(records.keys());
  const { rawBytes, count } = encoder.encode(batch, order, 0, records.length, Infinity);
  assert(count === records.length);
  assertEquals(said, rawBytes);
});
