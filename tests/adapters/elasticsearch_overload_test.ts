/** A cluster that refuses for load, for real: a write queue of one, and a memory limit of 1 MB. @module */
import { assertEquals, assertMatch } from "@std/assert";
import { Outcome } from "../../src/sink/adapter.ts";
import { startOpenSearch } from "../services/opensearch.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, written } from "../support/written.ts";
import { CONTROLS, Overload, REFUSALS } from "./elasticsearch_overload.ts";
import { openElasticsearch } from "./elasticsearch_sink.ts";
import { SearchIndex } from "./search_index.ts";

const { ACKED, REJECTED } = Outcome;
/** Of the kind that every sink has by default; the others send a sample, and as many in `deno task soak`. */
const DOCUMENTS = 100_000;
const SAMPLE = 20_000;

for (const refusal of REFUSALS) {
  requires("javac", "mvn").test(
    `elasticsearch sink loses nothing and stores nothing twice while the cluster refuses for ${refusal.cause}`,
    async (t) => {
      await using overload = await Overload.start(refusal);
      for (const control of CONTROLS) {
        const documents = control.kind === "static" ? DOCUMENTS : SAMPLE;
        await t.step(`control ${control.kind}`, () => overload.send(control, documents));
      }
    },
  );
}

requires("javac", "mvn").test(
  "elasticsearch write() halves what is too large for the cluster, and rejects what is too large alone",
  async () => {
    await using node = await startOpenSearch({ settings: { "http.max_content_length": "64kb" } });
    const index = await SearchIndex.create(node.url);
    await using sink = await openElasticsearch({ nodes: [node.url], index: index.name });
    const values = Array.from({ length: 1000 }, (_, n) => `{"n":${n},"text":"${"x".repeat(200)}"}`);
    values[500] = `{"n":500,"text":"${"x".repeat(70_000)}"}`;
    const result = written(await sink.write(values));
    assertEquals(outcomesOf(result), values.map((_, n) => n === 500 ? REJECTED : ACKED));
    assertMatch(result.reasons!.get(500)!, /^HTTP 413/);
    assertEquals((await index.documents()).length, 999);
  },
);
