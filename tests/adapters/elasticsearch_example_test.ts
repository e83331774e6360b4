/**
 * `examples/elasticsearch.yaml` and `examples/two-tier.yaml` run as the README says, with the rights that their configs
 * need and no others: documents are found in the cluster, and come no faster than the file allows.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertObjectMatch } from "@std/assert";
import { SourceStage } from "../source/source_stage.ts";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { exampleConfig } from "../support/example_config.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { askCluster, documentsOf, SearchIndex } from "./search_index.ts";

const DEADLINE_MS = 60_000;
const SENDERS = 8;
const DOCUMENTS_PER_BODY = 500;
const DOCUMENTS = 4000;

/** Runs curl as the README has it. */
async function curl(...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("curl", { args: ["-s", "-w", " %{http_code}", ...args] })
    .output();
  return new TextDecoder().decode(stdout);
}

/** Posts `count` documents to `url` by some senders at once, each body when the one before is stored. */
async function post(url: string, count: number): Promise<void> {
  let sent = 0;
  await Promise.all(Array.from({ length: SENDERS }, async () => {
    while (sent < count) {
      sent += DOCUMENTS_PER_BODY;
      const body = '{"message":"more"}\n'.repeat(DOCUMENTS_PER_BODY);
      const response = await fetch(url, { method: "POST", body });
      assertEquals((await response.json()).accepted, DOCUMENTS_PER_BODY);
    }
  }));
}

requires("searchCluster", "curl").test(
  "examples/elasticsearch.yaml stores documents under its limit, which curl changes, with least rights",
  async () => {
    const url = await sharedOpenSearch();
    // Its name goes before a date, and the pattern's documents go with it.
    const name = `weir-test-${crypto.randomUUID()}`;
    const config = await exampleConfig("elasticsearch.yaml");
    config.sinks.search.index = `${name}-{yyyy.MM.dd}`;
    try {
      await using gateway = await GatewayProcess.start(config, {
        env: { SEARCH_URL: url },
        hasLeastRights: true,
      });
      const stream = `${gateway.url}/v1/streams/logs`;
      const tokens = (unit: string) => gateway.metric("weir_sink_limit_tokens", { sink: "search", unit });
      assertEquals([await tokens("records"), await tokens("bytes")], [10_000, 10_485_760], "full buckets");
      const { sinks } = await gateway.admin("/api/v1/topology") as {
        readonly sinks: readonly { readonly limit: Record<string, unknown> }[];
      };
      assertObjectMatch(sinks[0].limit, { recordsPerSecond: 5000, burstRecords: 10_000 });
      assert((await curl("-d", '{"message":"hello"}', stream)).endsWith(" 200"));
      const [{ _index, _source }] = await documentsOf(url, `${name}-*`);
      assertMatch(_index.slice(name.length), /^-\d{4}\.\d\d\.\d\d$/);
      assertEquals(_source, { message: "hello" });

      // What a machine stores in a second may be less than the limit of the file: the README's is below that of any.
      const limit = ["-X", "PUT", "-H", "Authorization: Bearer change-me", "-d", '{"recordsPerSecond":1000}'];
      const told = await curl(...limit, `${gateway.adminUrl}/api/v1/sinks/search/limit`);
      assertMatch(told, /"recordsPerSecond":1000,.* 200$/);
      const startMs = performance.now();
      await post(stream, DOCUMENTS);
      const most = 1000 + performance.now() - startMs;
      assert(DOCUMENTS <= most, `${DOCUMENTS} documents were stored where the limit lets ${most} through`);
      await askCluster(url, "POST", `/${name}-*/_refresh`);
      assertEquals((await askCluster(url, "GET", `/${name}-*/_count`)).count, DOCUMENTS + 1);
      assertEquals(await gateway.stop(), 0);
    } finally {
      await askCluster(url, "DELETE", `/${name}-*`);
    }
  },
);

requires("kafka", "searchCluster").test(
  "examples/two-tier.yaml brings what is in the topic into the cluster with least rights",
  async () => {
    await using stage = await SourceStage.open(2);
    await using index = await SearchIndex.create(await sharedOpenSearch());
    const config = await exampleConfig("two-tier.yaml");
    Object.assign(config.sources.kafka, { topics: [stage.topic], groupId: stage.topic });
    config.sinks.search.index = index.name;
    await using gateway = await GatewayProcess.start(config, {
      env: { KAFKA_BROKER: stage.address, SEARCH_URL: index.url },
      hasLeastRights: true,
    });
    const values = Array.from({ length: 100 }, (_, n) => `{"user":"ada","n":${n}}`);
    await stage.send(values.map((value, n) => ({ value, partition: n % 2 })));
    await gateway.program.waitUntil(
      async () => await index.count() >= values.length,
      DEADLINE_MS,
      "all is in the index",
    );
    const documents = await index.documents();
    assertEquals(
      documents.map(({ _source }) => JSON.stringify(_source)).toSorted(),
      values.toSorted(),
    );
    assertEquals(await gateway.stop(), 0);
    assertEquals(await stage.committed([0, 1]), [50, 50]);
  },
);
