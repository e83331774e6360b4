/** A node that dies in the middle of writes, one that stands still, and one of two that dies for good. @module */
import { assertEquals } from "@std/assert";
import { startOpenSearch } from "../services/opensearch.ts";
import { freePort } from "../support/ports.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf } from "../support/written.ts";
import { Outage } from "./elasticsearch_outage.ts";
import { openElasticsearch } from "./elasticsearch_sink.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

requires("javac", "mvn").test(
  "elasticsearch sink loses nothing and stores nothing twice when the node is killed and comes back after 10 s, or stands still over the timeout",
  async () => {
    await using outage = await Outage.start();
    await outage.killAndBringBack(10_000);
    await outage.standStill();
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
    await using sink = await openElasticsearch({ nodes: [other.url, manager.url], index: index.name });
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
