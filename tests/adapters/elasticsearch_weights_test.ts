/** Two streams that write to one real cluster under one limit, each with more than all of it. @module */
import { assert, assertEquals } from "@std/assert";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { requires } from "../support/requirements.ts";
import { recordsOf, WatchedGateway } from "./elasticsearch_watched.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

const RECORDS_PER_SECOND = 2_000;
/** Until both streams have a queue. */
const SETTLING_RECORDS = 2_000;
/** Counted by records, as a window of time holds too few of them when the machine stands still in it. */
const COUNTED_RECORDS = 8_000;
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
      const goesOn = () => recordsOf(gateway.starts) < SETTLING_RECORDS + COUNTED_RECORDS;
      const posted = await Promise.all([gateway.post("a", goesOn), gateway.post("b", goesOn)]);

      let before = 0;
      const counted = gateway.starts.filter(({ records }) => {
        const at = before;
        before += records;
        return at >= SETTLING_RECORDS && at < SETTLING_RECORDS + COUNTED_RECORDS;
      });
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
