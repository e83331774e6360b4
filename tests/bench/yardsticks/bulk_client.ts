/** The cluster's own client, by its helper for bulks. `deno run -A bulk_client.ts PORT CLUSTER INDEX`. @module */
import { Client } from "@opensearch-project/opensearch";
import { BULK_DOCUMENTS, bulkDocuments, BULKS_IN_FLIGHT, DOCUMENT_BYTES, serveLoad } from "./bulk_load.ts";

const [port, cluster, index] = Deno.args;
const client = new Client({ node: cluster });
const documents = bulkDocuments();
const run = crypto.randomUUID();
/** Above a bulk of so many documents with their action lines, so that the number alone cuts. */
const FLUSH_BYTES = BULK_DOCUMENTS * (DOCUMENT_BYTES + 100);
let sent = 0;

serveLoad(Number(port), async (isOver) => {
  async function* endless(): AsyncGenerator<Record<string, unknown>> {
    while (!isOver()) yield* documents;
  }
  const { successful, failed } = await client.helpers.bulk({
    datasource: endless(),
    flushBytes: FLUSH_BYTES,
    concurrency: BULKS_IN_FLIGHT,
    onDocument: () => ({ create: { _index: index, _id: `${run}-${sent++}` } }),
  });
  if (failed > 0) throw new Error(`${failed} documents were refused`);
  return successful;
});
