/** A cluster that refuses for load, for real: a write queue of one, and a memory limit of 1 MB. @module */
import { assert } from "@std/assert";
import { OpenSearchNode } from "../services/opensearch.ts";
import { requires } from "../support/requirements.ts";
import { assertNumbers, NUMBERED, postNumbers, startGateway } from "./elasticsearch_gateway.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

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
      await using node = await OpenSearchNode.start({ settings });
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
