/** Indices that take no documents at all, by their owner's will or as they are not there: seen through a whole gateway. @module */
import { assertEquals, assertMatch } from "@std/assert";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { searchSink } from "./elasticsearch_gateway.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

const DOCUMENTS = 20;
const AUTO_CREATE = "action.auto_create_index";
/** Only for names that no other test uses. */
const NOT_MISSING = "-weir-missing-*,+*";

/** From now on the cluster at `url` creates no index of the name that is returned; it does as before when disposed of. */
async function missingIndex(url: string): Promise<AsyncDisposable & { readonly name: string }> {
  const set = (value: unknown) =>
    askCluster(url, "PUT", "/_cluster/settings", { transient: { [AUTO_CREATE]: value } });
  const { transient } = await askCluster(url, "GET", "/_cluster/settings?flat_settings=true") as {
    readonly transient: Readonly<Record<string, unknown>>;
  };
  await set(NOT_MISSING);
  return {
    name: `weir-missing-${crypto.randomUUID()}`,
    [Symbol.asyncDispose]: async () => void await set(transient[AUTO_CREATE] ?? null),
  };
}

requires("searchCluster").test(
  "elasticsearch sink gives what is for a read-only or a missing index to the dead letter with the cluster's reason, and goes on",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch());
    await using locked = await SearchIndex.create(index.url);
    await locked.set({ "index.blocks.write": true });
    await using missing = await missingIndex(index.url);
    const names = [index.name, locked.name, missing.name];
    await using gateway = await GatewayProcess.start({
      streams: { docs: { sinks: ["search"] } },
      sinks: {
        search: { ...searchSink(index), index: { pointer: "/in", allow: names }, deadLetter: "letters" },
        letters: { type: "file", path: "letters.ndjson" },
      },
    });
    // All three in each bulk, so that the cluster tells them apart item by item.
    const values = Array.from({ length: 3 * DOCUMENTS }, (_, n) => `{"in":"${names[n % 3]}","n":${n}}`);
    const response = await fetch(`${gateway.url}/v1/streams/docs`, {
      method: "POST",
      body: values.join("\n"),
    });
    const { accepted, deadLettered } = await response.json();
    assertEquals([response.status, accepted, deadLettered], [200, 3 * DOCUMENTS, 2 * DOCUMENTS]);
    assertEquals(await index.count(), DOCUMENTS);
    const letters = (await Deno.readTextFile(`${gateway.folder}/letters.ndjson`)).trim().split("\n")
      .map((line) => JSON.parse(line) as { readonly value: string; readonly reason: string });
    assertEquals(
      letters.map(({ value }) => value).toSorted(),
      values.filter((_, n) => n % 3 !== 0).toSorted(),
    );
    for (const { value, reason } of letters) {
      const isLocked = value.includes(locked.name);
      assertMatch(reason, isLocked ? /^403 cluster_block_exception/ : /^404 index_not_found_exception/);
    }
    const metrics = ["retried_records_total", "refused_writes_total", "throttle_seconds_total"];
    const seen = await Promise.all(metrics.map((name) => gateway.metric(`weir_sink_${name}`)));
    assertEquals(seen, [0, 0, 0], "nothing is sent again, and the sink is not held back");
  },
);
