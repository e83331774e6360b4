/** A cluster that refuses for load, for real: a write queue of one, and a memory limit of 1 MB. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Outcome } from "../../src/sink/adapter.ts";
import { startOpenSearch } from "../services/opensearch.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, written } from "../support/written.ts";
import { assertNumbers, NUMBERED, postNumbers, startGateway } from "./elasticsearch_gateway.ts";
import { OpenSink } from "./elasticsearch_sink.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

const { ACKED, REJECTED } = Outcome;
const DOCUMENTS = 10_000;

/** How a node is made to refuse, and the number in its statistics that says it did. */
const REFUSALS = [
  {
    cause: "a full write queue",
    settings: { "thread_pool.write.size": "1", "thread_pool.write.queue_size": "1" },
    statistics: "/_nodes/stats/thread_pool?filter_path=nodes.*.thread_pool.write.rejected",
  },
  {
    cause: "its limit of indexing memory",
    settings: { "indexing_pressure.memory.limit": "300kb", "thread_pool.write.size": "1" },
    statistics:
      "/_nodes/stats/indexing_pressure?filter_path=nodes.*.indexing_pressure.memory.total.*rejections",
  },
] as const;

for (const { cause, settings, statistics } of REFUSALS) {
  requires("javac", "mvn").test(
    `elasticsearch sink loses nothing and stores nothing twice while the cluster refuses for ${cause}`,
    async () => {
      await using node = await startOpenSearch({ settings });
      const index = await SearchIndex.create(node.url, NUMBERED);
      await using gateway = await startGateway(index, { control: { kind: "static", initial: 8 } });
      await postNumbers(gateway, 0, DOCUMENTS);
      await assertNumbers(index, DOCUMENTS);
      const told = JSON.stringify(await askCluster(node.url, "GET", statistics));
      const refused = Array.from(told.matchAll(/reject\w*":(\d+)/g), ([, count]) => Number(count));
      assert(refused.some((count) => count > 0), `the node refused: ${told}`);
    },
  );
}

requires("javac", "mvn").test(
  "elasticsearch write() halves what is too large for the cluster, and rejects what is too large alone",
  async () => {
    await using node = await startOpenSearch({ settings: { "http.max_content_length": "64kb" } });
    const index = await SearchIndex.create(node.url);
    await using sink = await OpenSink.open({ nodes: [node.url], index: index.name });
    const values = Array.from({ length: 1000 }, (_, n) => `{"n":${n},"text":"${"x".repeat(200)}"}`);
    values[500] = `{"n":500,"text":"${"x".repeat(70_000)}"}`;
    const result = written(await sink.write(values));
    assertEquals(outcomesOf(result), values.map((_, n) => n === 500 ? REJECTED : ACKED));
    assertMatch(result.reasons!.get(500)!, /^HTTP 413/);
    assertEquals((await index.documents()).length, 999);
  },
);
