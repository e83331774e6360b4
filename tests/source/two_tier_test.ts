/** Two tiers: an edge gateway, a real broker, and a gateway that writes to a real cluster under its limit. @module */
import { assert, assertEquals } from "@std/assert";
import { SearchIndex } from "../adapters/search_index.ts";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { SourceStage } from "./source_stage.ts";

/** At the limit the cluster takes seven seconds for them. */
const RECORDS = 4000;
/** A machine that is busy with other tests may run the edge, or this test, no sooner. */
const TRIES = 2;

requires("kafka", "searchCluster").test(
  "two tiers: the edge takes what the cluster's limit does not let through yet, and all of it arrives once",
  async () => {
    await using stage = await SourceStage.open(4);
    await using index = await SearchIndex.create(await sharedOpenSearch());
    await using edge = await GatewayProcess.start({
      streams: { events: { sinks: ["kafka"], key: "/user", deliverTimeoutMs: 60_000 } },
      sinks: { kafka: { type: "kafka", brokers: [stage.address], topic: stage.topic } },
    });
    const { sources } = stage.config({}) as { readonly sources: object };
    await using second = await GatewayProcess.start({
      streams: { events: { sinks: ["search"] } },
      sinks: {
        search: {
          type: "elasticsearch",
          nodes: [index.url],
          index: index.name,
          limit: { recordsPerSecond: 500, burstRecords: 500 },
        },
      },
      sources,
    });
    const delivered = () =>
      second.metric("weir_sink_records_total", { sink: "search", outcome: "delivered" });
    let sent = 0;
    let isAhead = false;
    for (let tries = 0; !isAhead && tries < TRIES; tries++) {
      const from = sent;
      sent += RECORDS;
      const lines = Array.from(
        { length: RECORDS },
        (_, i) => JSON.stringify({ user: `user-${i % 50}`, n: from + i }),
      );
      const answer = await fetch(`${edge.url}/v1/streams/events`, {
        method: "POST",
        headers: { "content-type": "application/x-ndjson" },
        body: lines.join("\n"),
      });
      assertEquals([answer.status, (await answer.json()).accepted], [200, RECORDS]);
      isAhead = await delivered() < sent;
    }
    assert(isAhead, "the edge is done while the cluster still takes its time");
    await stage.until(async () => await index.count() === sent, "all is in the index");
    const offsets = async () =>
      (await stage.committed([0, 1, 2, 3])).reduce((sum, offset) => sum + offset, 0);
    await stage.until(async () => await offsets() === sent, "all is committed");
    const documents = await index.documents();
    assertEquals(
      new Set(documents.map(({ _source }) => (_source as { readonly n: number }).n)).size,
      sent,
    );
    assert(documents.every(({ _id }) => _id.startsWith(`${stage.topic}-`)), "ids are places in Kafka");
  },
);
