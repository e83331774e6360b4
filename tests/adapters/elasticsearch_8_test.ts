/** The `elasticsearch` sink on Elasticsearch itself, whose refusals have other names than OpenSearch's. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { elasticsearchSink } from "../../adapters/elasticsearch.ts";
import { Outcome } from "../../src/sink/adapter.ts";
import { startElasticsearch } from "../services/elasticsearch.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, written } from "../support/written.ts";
import { conformance } from "./conformance.ts";
import { assertNumbers, NUMBERED, postNumbers, startGateway } from "./elasticsearch_gateway.ts";
import { openElasticsearch } from "./elasticsearch_sink.ts";
import { SearchIndex } from "./search_index.ts";

const { ACKED, RETRYABLE, REJECTED } = Outcome;
const encoder = new TextEncoder();
let node: Promise<string> | null = null;

/**
 * One node for this file, whose write queue is soon full. Its own syncs after a write wait in the same queue: with room
 * for one, one bulk in twenty was refused to a single writer.
 */
function sharedNode(): Promise<string> {
  return node ??= (async () => {
    const started = await startElasticsearch({
      settings: { "thread_pool.write.size": "1", "thread_pool.write.queue_size": "16" },
    });
    globalThis.addEventListener("unload", () => started.abandon());
    return started.url;
  })();
}

conformance({
  name: "elasticsearch on Elasticsearch 8",
  // Its writes must not meet a full queue here, which the next test is about.
  definition: {
    ...elasticsearchSink,
    hints: (config) => ({ ...elasticsearchSink.hints(config), writesInFlight: 4 }),
  },
  holds: "objects",
  cloudEvents: "structured",
  needs: ["javac", "mvn"],
  async place() {
    const index = await SearchIndex.create(await sharedNode());
    return {
      options: { nodes: [index.url], index: index.name },
      stored: async () =>
        (await index.documents()).map(({ _source }) => encoder.encode(JSON.stringify(_source))),
      [Symbol.asyncDispose]: () => index[Symbol.asyncDispose](),
    };
  },
});

requires("javac", "mvn").test(
  "elasticsearch sink loses nothing while Elasticsearch 8 refuses for a full queue",
  async () => {
    await using index = await SearchIndex.create(await sharedNode(), NUMBERED);
    await using gateway = await startGateway(index, {
      batch: { maxRecords: 25 },
      control: { kind: "static", initial: 32 },
    });
    await postNumbers(gateway, 0, 8000);
    await assertNumbers(index, 8000);
    assert(await gateway.metric("weir_sink_retried_records_total") > 0, "the node refused");
  },
);

requires("javac", "mvn").test("elasticsearch write() knows the refusals of Elasticsearch 8", async () => {
  await using index = await SearchIndex.create(await sharedNode(), { properties: { n: { type: "long" } } });
  await using sink = await openElasticsearch({ nodes: [index.url], index: index.name });
  const mixed = written(await sink.write(['{"n":1}', '{"n":"x"}', '{"n":1,"n":2}']));
  assertEquals(outcomesOf(mixed), [ACKED, REJECTED, REJECTED]);
  assertMatch(mixed.reasons!.get(1)!, /^400 document_parsing_exception/);
  assertEquals(outcomesOf(await sink.write(['{"n":1}'])), [ACKED]);
  await sink.check();
  await index.set({ "index.blocks.read_only_allow_delete": true });
  const blocked = written(await sink.write([{ value: "{}", id: "blocked" }]));
  assertEquals([outcomesOf(blocked), blocked.pressure.kind], [[RETRYABLE], "throttle"]);
  await index.set({ "index.blocks.read_only_allow_delete": null });
});
