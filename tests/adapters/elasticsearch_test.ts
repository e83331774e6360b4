/** The `elasticsearch` sink on a real node: where documents go, what they cannot do, and what is refused. @module */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ElasticsearchOptions } from "../../adapters/elasticsearch.ts";
import { assert } from "../../src/core/assert.ts";
import { Outcome } from "../../src/sink/adapter.ts";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, written } from "../support/written.ts";
import { openElasticsearch } from "./elasticsearch_sink.ts";
import type { OpenSink, OwnContext } from "./open_sink.ts";
import { askCluster, documentsOf, SearchIndex } from "./search_index.ts";

const { ACKED, RETRYABLE, REJECTED } = Outcome;

/** Registers a test with an index of its own. */
function test(promise: string, body: (index: SearchIndex) => Promise<void>, mappings?: unknown): void {
  requires("searchCluster").test(`elasticsearch ${promise}`, async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch(), mappings);
    await body(index);
  });
}

function open(
  index: SearchIndex,
  options: Partial<ElasticsearchOptions> = {},
  more: OwnContext = {},
): Promise<OpenSink> {
  return openElasticsearch({ nodes: [index.url], index: index.name, ...options }, more);
}

test("write() never lets a record bring a bulk action of its own", async (index) => {
  await using sink = await open(index, { id: "/id", routing: "/to" });
  const hidden = `{"delete":{"_index":"${index.name}","_id":"victim"}}`;
  assertEquals(outcomesOf(await sink.write(['{"id":"victim","to":"a"}'])), [ACKED]);
  const id = `x"}}\n${hidden}\n{"create":{"_id":"y`;
  const result = await sink.write([
    { value: `{"id":"1","to":"a"}\n${hidden}`, json: false },
    { value: `${hidden}\n{"id":"2","to":"a"}`, json: false },
    { value: `{"id":"3","to":"a"}\r${hidden}`, json: false },
    JSON.stringify({ id, to: "a", n: 4 }),
    JSON.stringify({ id: "5", to: `a"}}\n${hidden}\n` }),
    `{\n"id":"6",\n"to":"a"\r\n}`,
    JSON.stringify({ id: "7", to: "a", text: `\n${hidden}\n` }),
  ]);
  assertEquals(outcomesOf(result), [REJECTED, REJECTED, REJECTED, ACKED, ACKED, ACKED, ACKED]);
  const stored = await index.documents();
  assertEquals(stored.map((each) => each._id).sort(), ["5", "6", "7", "victim", id].sort());
});

test("write() takes one JSON object as a document and nothing else, also of records that a stream trusts", async (index) => {
  await using sink = await open(index);
  const texts = ["[{}]", '"text"', "1", "null", "", "{", "{} {}", '{"a":1}x', "  "];
  const result = await sink.write([...texts.map((value) => ({ value, json: false })), "[1]", ' {"good":1}']);
  assertEquals(outcomesOf(result), [...texts.map(() => REJECTED), REJECTED, ACKED]);
  assertStringIncludes(written(result).reasons!.get(0)!, "not one JSON object");
  assertEquals(await index.count(), 1);
});

test("write() stores nothing twice when a batch comes again", async (index) => {
  await using sink = await open(index);
  const values = Array.from({ length: 50 }, (_, n) => `{"n":${n}}`);
  for (const from of [0, 25, 0]) {
    const records = values.slice(from).map((value, i) => ({ value, id: `r-${from + i}` }));
    const outcomes = outcomesOf(await sink.write(records));
    assertEquals(outcomes, outcomes.map(() => ACKED));
  }
  assertEquals((await index.documents()).map(({ _source }) => JSON.stringify(_source)), values);
});

test("write() replaces what has the same _id with op index, and leaves it with op create", async (index) => {
  for (const op of ["create", "index"] as const) {
    await using sink = await open(index, { op, id: "/id" });
    for (const n of [1, 2]) {
      assertEquals(outcomesOf(await sink.write([JSON.stringify({ id: op, n })])), [ACKED]);
    }
  }
  const sources = (await index.documents()).map(({ _source }) => _source);
  assertEquals(sources, [{ id: "create", n: 1 }, { id: "index", n: 2 }]);
});

test("write() rejects an _id that the cluster would refuse the whole bulk for", async (index) => {
  await using sink = await open(index, { id: "/id" });
  const ids = [
    "x".repeat(512),
    "x".repeat(513),
    "é".repeat(256),
    "é".repeat(257),
    "",
    undefined,
    null,
    12,
    {},
  ];
  const result = await sink.write(ids.map((id) => JSON.stringify({ id })));
  assertEquals(outcomesOf(result), [
    ACKED,
    REJECTED,
    ACKED,
    REJECTED,
    REJECTED,
    REJECTED,
    REJECTED,
    ACKED,
    REJECTED,
  ]);
  assertMatch(written(result).reasons!.get(1)!, /512 bytes/);
  assertEquals(await index.count(), 3);
  await using byRecordId = await open(index);
  const long = { value: "{}", id: "x".repeat(513) };
  assertEquals(outcomesOf(await byRecordId.write([long, "{}"])), [REJECTED, ACKED]);
});

test("write() puts a document into the index of its acceptance date, the same at each try", async (index) => {
  await using sink = await open(index, { index: `${index.name}-{yyyy.MM.dd-HH}` });
  const acceptedAtMs = Date.UTC(2026, 1, 28, 23, 59, 59, 999);
  for (let attempt = 1; attempt <= 2; attempt++) await sink.write(["{}", "{}"], { acceptedAtMs, attempt });
  const names = (await documentsOf(index.url, `${index.name}-*`)).map(({ _index }) =>
    _index.slice(index.name.length)
  );
  assertEquals(names, ["-2026.02.28-23", "-2026.03.01-00"]);
  await askCluster(index.url, "DELETE", `/${index.name}-*`);
});

test("write() puts a document into the index that it names, if that is allowed", async (index) => {
  await using sink = await open(index, { index: { pointer: "/in", allow: [index.name] } });
  const names = [index.name, "other", `${index.name}"`, `${index.name},other`, undefined];
  const result = await sink.write(names.map((name) => JSON.stringify({ in: name })));
  assertEquals(outcomesOf(result), [ACKED, REJECTED, REJECTED, REJECTED, REJECTED]);
  assertMatch(written(result).reasons!.get(1)!, /allow-list/);
  assertEquals(await index.count(), 1);
});

test("write() sends the routing value", async (index) => {
  await using sink = await open(index, { routing: "/tenant" });
  assertEquals(outcomesOf(await sink.write(['{"tenant":"ä\\"1"}', "{}"])), [ACKED, REJECTED]);
  assertEquals((await index.documents()).map(({ _routing }) => _routing), ['ä"1']);
});

test(
  "write() stores the good documents among those with a mapping conflict, and tells why the others were refused",
  async (index) => {
    await using sink = await open(index);
    const values = Array.from({ length: 200 }, (_, n) => `{"n":${n % 3 === 0 ? `"no number ${n}"` : n}}`);
    const result = written(await sink.write(values));
    assertEquals(outcomesOf(result), values.map((_, n) => n % 3 === 0 ? REJECTED : ACKED));
    assertMatch(result.reasons!.get(0)!, /^400 mapper_parsing_exception: failed to parse field \[n\]/);
    assertEquals(result.pressure.kind, "none");
    assertEquals(await index.count(), values.filter((_, n) => n % 3 !== 0).length);
  },
  { properties: { n: { type: "long" } } },
);

test("write() pauses while an index is blocked for a full disk, and tries with one write at a time", async (index) => {
  const clock = new ManualClock();
  await using sink = await open(index, {}, { clock });
  await index.set({ "index.blocks.read_only_allow_delete": true });
  const seen: number[] = [];
  for (let tries = 0; tries < 3; tries++) {
    const blocked = written(await sink.write(["{}"]));
    const { pressure } = blocked;
    assertEquals(outcomesOf(blocked), [RETRYABLE]);
    assert(pressure.kind === "throttle", "a block holds the sink back");
    seen.push(pressure.delayMs);
    const meanwhile = written(await sink.write(["{}"]));
    assertEquals([outcomesOf(meanwhile), meanwhile.pressure], [[RETRYABLE], pressure]);
    clock.advance(pressure.delayMs);
  }
  assertEquals(seen, [1000, 2000, 4000]);
  await index.set({ "index.blocks.read_only_allow_delete": null });
  const free = written(await sink.write(["{}"]));
  assertEquals([outcomesOf(free), free.pressure.kind], [[ACKED], "none"]);
  assertEquals(outcomesOf(await sink.write(['{"next":1}'])), [ACKED]);
});

test("check() passes on a cluster, and stores nothing", async (index) => {
  await using sink = await open(index);
  await sink.check();
  assertEquals(await index.count(), 0);
});
