/** What may stand between the `elasticsearch` sink and an index on a real node: a data stream, an ingest pipeline. @module */
import { assertEquals, assertMatch } from "@std/assert";
import { Outcome } from "../../src/sink/adapter.ts";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, written } from "../support/written.ts";
import { openElasticsearch } from "./elasticsearch_sink.ts";
import { askCluster, documentsOf, SearchIndex } from "./search_index.ts";

const { ACKED, REJECTED } = Outcome;

/** A thing of one test's own beside an index; it is deleted with its test. */
async function made(url: string, path: string, body?: unknown): Promise<AsyncDisposable> {
  await askCluster(url, "PUT", path, body);
  return { [Symbol.asyncDispose]: async () => void await askCluster(url, "DELETE", path) };
}

requires("searchCluster").test(
  "elasticsearch write() creates documents in a data stream, and stores nothing twice when they come again",
  async () => {
    const url = await sharedOpenSearch();
    const name = `weir-test-${crypto.randomUUID()}`;
    const settings = { number_of_shards: 1, number_of_replicas: 0 };
    await using _template = await made(url, `/_index_template/${name}`, {
      index_patterns: [name],
      data_stream: {},
      template: { settings },
    });
    await using _stream = await made(url, `/_data_stream/${name}`);
    await using sink = await openElasticsearch({ nodes: [url], index: name });
    const records = Array.from({ length: 30 }, (_, n) => ({
      id: `r-${n}`,
      value: `{"@timestamp":"2026-01-01T00:00:${10 + n}Z","n":${n}}`,
    }));
    await sink.write(records.slice(0, 20));
    assertEquals(outcomesOf(await sink.write(records)), records.map(() => ACKED));
    assertEquals(sink.answers.snapshot(), { "201": 30, "409": 20 });
    const documents = await documentsOf(url, name);
    assertEquals(documents.map(({ _id }) => _id), records.map(({ id }) => id));
    assertEquals(documents.map(({ _source }) => JSON.stringify(_source)), records.map(({ value }) => value));
    assertMatch(documents[0]._index, /^\.ds-/);

    const untimed = written(await sink.write(['{"n":1}']));
    assertEquals(outcomesOf(untimed), [REJECTED]);
    assertMatch(untimed.reasons!.get(0)!, /^400 mapper_parsing_exception/);
    await using replacing = await openElasticsearch({ nodes: [url], index: name, op: "index" });
    const replaced = written(await replacing.write(records.slice(0, 1)));
    assertEquals(outcomesOf(replaced), [REJECTED]);
    assertMatch(replaced.reasons!.get(0)!, /op_type of create/);
  },
);

requires("searchCluster").test(
  "elasticsearch write() sends every document through the pipeline",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch());
    await using _pipeline = await made(index.url, `/_ingest/pipeline/${index.name}`, {
      processors: [{ set: { field: "through", value: "the pipeline" } }],
    });
    await using sink = await openElasticsearch({
      nodes: [index.url],
      index: index.name,
      pipeline: index.name,
    });
    assertEquals(outcomesOf(await sink.write(['{"n":0}', '{"n":1}'])), [ACKED, ACKED]);
    assertEquals(
      (await index.documents()).map(({ _source }) => _source),
      [{ n: 0, through: "the pipeline" }, { n: 1, through: "the pipeline" }],
    );
  },
);

requires("searchCluster").test(
  "elasticsearch write() rejects documents for a pipeline that is not there",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch());
    await using sink = await openElasticsearch({
      nodes: [index.url],
      index: index.name,
      pipeline: "weir no such",
    });
    const result = written(await sink.write(["{}"]));
    assertEquals(outcomesOf(result), [REJECTED]);
    assertMatch(result.reasons!.get(0)!, /pipeline with id \[weir no such\] does not exist/);
  },
);
