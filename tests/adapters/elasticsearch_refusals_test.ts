/** Documents that a cluster refuses for good, or for now, seen through a whole gateway: where they go, and how often. @module */
import { assertEquals, assertMatch } from "@std/assert";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { searchSink } from "./elasticsearch_gateway.ts";
import { answer, startHttpTarget } from "./http_target.ts";
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

/** How often the document of number `n` is refused before it is taken. */
function refusalsOf(n: number): number {
  return n % 9 === 0 ? 2 : n % 3 === 0 ? 1 : 0;
}

// A fake: a real node's full queue picks its victims by chance, and its ids would hide that a whole bulk came again.
Deno.test("elasticsearch sink sends the documents again that a full queue refused, and no others", async () => {
  const target = await startHttpTarget();
  const sent = new Map<number, number>();
  target.respond = (response, seen, socket) => {
    const lines = new TextDecoder().decode(seen.body).split("\n").filter((_, at) => at % 2 === 1);
    const items = lines.map((line) => {
      const n: number = JSON.parse(line).n;
      sent.set(n, (sent.get(n) ?? 0) + 1);
      return sent.get(n)! > refusalsOf(n)
        ? { create: { status: 201 } }
        : { create: { status: 429, error: { type: "rejected_execution_exception", reason: "queue" } } };
    });
    const errors = items.some(({ create }) => create.status !== 201);
    answer(200, JSON.stringify({ errors, items }))(response, seen, socket);
  };
  try {
    await using gateway = await GatewayProcess.start({
      streams: { docs: { sinks: ["search"] } },
      sinks: {
        search: searchSink({ url: new URL(target.url).origin, name: "docs" }),
      },
    });
    const numbers = Array.from({ length: 900 }, (_, n) => n);
    const response = await fetch(`${gateway.url}/v1/streams/docs`, {
      method: "POST",
      body: numbers.map((n) => `{"n":${n}}`).join("\n"),
    });
    assertEquals([response.status, (await response.json()).accepted], [200, numbers.length]);
    assertEquals(numbers.map((n) => sent.get(n)), numbers.map((n) => 1 + refusalsOf(n)));
    const again = numbers.reduce((sum, n) => sum + refusalsOf(n), 0);
    assertEquals(await gateway.metric("weir_sink_retried_records_total"), again);
    assertEquals(await gateway.metric("weir_sink_answered_records_total", { status: "429" }), again);
  } finally {
    await target.close();
  }
});
