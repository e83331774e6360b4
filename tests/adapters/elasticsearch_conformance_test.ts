/** The `elasticsearch` sink keeps what every sink promises, on a real cluster. @module */
import { elasticsearchSink } from "../../adapters/elasticsearch.ts";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { conformance } from "./conformance.ts";
import { SearchIndex } from "./search_index.ts";

const encoder = new TextEncoder();

for (const options of [{}, { gzipAboveBytes: 0 }, { op: "index" }]) {
  conformance({
    name: `elasticsearch ${JSON.stringify(options)}`,
    definition: elasticsearchSink,
    holds: "objects",
    cloudEvents: "structured",
    needs: ["searchCluster"],
    async place() {
      const index = await SearchIndex.create(await sharedOpenSearch());
      return {
        options: { nodes: [index.url], index: index.name, ...options },
        stored: async () =>
          (await index.documents()).map(({ _source }) => encoder.encode(JSON.stringify(_source))),
        [Symbol.asyncDispose]: () => index[Symbol.asyncDispose](),
      };
    },
  });
}
