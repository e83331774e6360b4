/** Two streams that write to one real cluster under one limit, each with more than all of it. @module */
import { assert, assertEquals } from "@std/assert";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { requires } from "../support/requirements.ts";
import { recordsOf, WatchedGateway } from "./elasticsearch_watched.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

const RECORDS_PER_SECOND = 2_000;
const SECONDS = 6;
/** Until both streams have a queue. */
const SETTLING_MS = 1_000;
const KEYWORD = { dynamic: false, properties: { s: { type: "keyword" } } };

/** [weights of the two streams, least and most share of the first] */
const SHARES: readonly (readonly [number, number, number, number])[] = [
  [1, 1, 0.475, 0.525],
  [3, 1, 0.7125, 0.7875],
];

for (const [a, b, least, most] of SHARES) {
  requires("searchCluster").test(
    `elasticsearch sink gives streams of weights ${a} and ${b} their shares of its limit`,
    async () => {
      await using index = await SearchIndex.create(await sharedOpenSearch(), KEYWORD);
      await using gateway = await WatchedGateway.start(index, ["a", "b"], {
        limit: { recordsPerSecond: RECORDS_PER_SECOND, burstRecords: 100 },
        batch: { maxRecords: 50 },
        weight: { a, b },
      });
      const over = AbortSignal.timeout(SECONDS * 1000);
      const posted = await Promise.all([gateway.post("a", over), gateway.post("b", over)]);

      const [fromMs, toMs] = [
        gateway.starts[0].atMs + SETTLING_MS,
        gateway.starts[0].atMs + SECONDS * 1000 - SETTLING_MS,
      ];
      const counted = gateway.starts.filter(({ atMs }) => fromMs <= atMs && atMs <= toMs);
      const share = recordsOf(counted.filter(({ stream }) => stream === "a")) / recordsOf(counted);
      assert(share >= least && share <= most, `share ${share} is not within ${least} and ${most}`);
      await index.count();
      for (const [at, stream] of ["a", "b"].entries()) {
        const { count } = await askCluster(index.url, "GET", `/${index.name}/_count?q=s:${stream}`);
        assertEquals(count, posted[at], `each record of stream ${stream} is stored once`);
      }
    },
  );
}
