/** WebSocket messages made to bring a bulk action of their own, through a gateway into a real search node. @module */
import { assertEquals } from "@std/assert";
import { startGateway } from "../adapters/elasticsearch_gateway.ts";
import { SearchIndex } from "../adapters/search_index.ts";
import { until } from "../ingress/open_door.ts";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { requires } from "../support/requirements.ts";
import { sendMessages } from "./message_sender.ts";

const ARRIVAL_DEADLINE_MS = 60_000;

const { test } = requires("searchCluster");

for (const protocol of ["plain", "weir.v1"]) {
  test(`Gateway lets no WebSocket message bring a bulk action of its own (${protocol})`, async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch());
    const hidden = `{"delete":{"_index":"${index.name}","_id":"victim"}}`;
    await using gateway = await startGateway(index, { id: "/id" }, { validate: "none" });
    // The stream trusts its records, so that the sink alone stands between them and the node.
    await sendMessages(`ws://127.0.0.1:${gateway.port}/v1/streams/docs`, protocol, [
      '{"id":"victim"}',
      ...["\n", "\r\n", "\r"].flatMap((end, i) => [
        `{${end}"id":"${i}",${end}"a":${end}${hidden}${end}}`,
        `{"id":"no ${i}"}${end}${hidden}${end}`,
        `${hidden}${end}{"id":"no ${i}"}`,
        JSON.stringify({ id: `x"}}${end}${hidden}${end}{"create":{"_id":"y ${i}` }),
      ]),
    ]);
    await until(
      async () => await gateway.metric("weir_sink_records_total", { outcome: "dead_lettered" }) === 6,
      "what is no one document is refused",
      ARRIVAL_DEADLINE_MS,
    );
    await until(async () => await index.count() === 7, "the others are there", ARRIVAL_DEADLINE_MS);
    const ids = (await index.documents()).map(({ _id }) => _id);
    assertEquals(ids.filter((id) => !id.startsWith("x")).toSorted(), ["0", "1", "2", "victim"]);
  });
}
