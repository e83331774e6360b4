/** A node that dies in the middle of writes, one that stands still, and one of two that dies for good. @module */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { startOpenSearch } from "../services/opensearch.ts";
import { freePort } from "../support/ports.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf } from "../support/written.ts";
import { assertNumbers, NUMBERED, postNumbers, startGateway } from "./elasticsearch_gateway.ts";
import { OpenSink } from "./elasticsearch_sink.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

const DOCUMENTS = 4_000;
/** So many are stored before the node is hurt. */
const STORED_BEFORE = 500;
const TIMEOUT_MS = 1_500;

/** Resolves when `index` holds some documents more than `before`: writes are under way. */
async function underWay(index: SearchIndex, before: number): Promise<void> {
  while (await index.count() < before + STORED_BEFORE) await delay(20);
}

requires("javac", "mvn").test(
  "elasticsearch sink loses nothing and stores nothing twice when the node is killed, or stands still over the timeout",
  async () => {
    await using node = await startOpenSearch();
    const index = await SearchIndex.create(node.url, NUMBERED);
    // Small batches and a limit, so that there are writes in flight until long after the node is hurt.
    await using gateway = await startGateway(index, {
      timeoutMs: TIMEOUT_MS,
      batch: { maxRecords: 50 },
      limit: { recordsPerSecond: 2000, burstRecords: 50 },
    });
    const posted = postNumbers(gateway, 0, DOCUMENTS);
    await underWay(index, 0);
    await node.kill();
    await node.restart();
    await posted;
    await assertNumbers(index, DOCUMENTS);
    const retried = await gateway.metric("weir_sink_retried_records_total");
    assert(retried > 0, "writes were in flight when the node was killed");

    const more = postNumbers(gateway, DOCUMENTS, 2 * DOCUMENTS);
    await underWay(index, DOCUMENTS);
    node.signal("SIGSTOP");
    // What is timed here is the node's own silence, which only the machine's clock can make.
    await delay(2 * TIMEOUT_MS);
    node.signal("SIGCONT");
    await more;
    await assertNumbers(index, 2 * DOCUMENTS);
    const retriedThen = await gateway.metric("weir_sink_retried_records_total");
    assert(retriedThen > retried, "writes were in flight when the node stood still");
  },
);

requires("javac", "mvn").test(
  "elasticsearch sink goes on with the other node when one of two dies",
  async () => {
    const transport = [freePort(), freePort()];
    const settings = (at: number) => ({
      "discovery.type": "zen",
      "discovery.seed_hosts": transport.map((port) => `127.0.0.1:${port}`).join(","),
      "cluster.initial_cluster_manager_nodes": "n0",
      "node.name": `n${at}`,
      "transport.port": `${transport[at]}`,
      "node.roles": at === 0 ? "cluster_manager,data" : "data",
    });
    const starting = [0, 1].map((at) => startOpenSearch({ settings: settings(at), heapMiB: 256 }));
    await Promise.allSettled(starting);
    await using manager = await starting[0];
    await using other = await starting[1];
    const index = await SearchIndex.create(manager.url);
    await index.set({ number_of_replicas: 1 });
    await askCluster(
      manager.url,
      "GET",
      "/_cluster/health?wait_for_status=green&wait_for_nodes=2&timeout=60s",
    );
    await using sink = await OpenSink.open({ nodes: [other.url, manager.url], index: index.name });
    for (let n = 0; n < 10; n++) {
      if (n === 4) await other.kill();
      const result = await sink.write([{ value: `{"n":${n}}`, id: `${n}` }]);
      assertEquals([n, outcomesOf(result), result.pressure.kind], [n, [0], "none"]);
    }
    assertEquals(
      (await index.documents()).map(({ _id }) => Number(_id)),
      Array.from({ length: 10 }, (_, n) => n),
    );
  },
);
