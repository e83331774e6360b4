/**
 * A bare loader on `node:http`: it encodes its documents, each behind an action line with an id, and sends the body in
 * one piece. `deno run -A bulk_loader.ts PORT CLUSTER INDEX`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Agent, request } from "node:http";
import { bulkDocuments, BULKS_IN_FLIGHT, serveLoad } from "./bulk_load.ts";

/** The answer that the sink asks for too. */
const PATH = "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,error,status";

const [port, cluster, index] = Deno.args;
const agent = new Agent({ keepAlive: true });
const documents = bulkDocuments();
const run = crypto.randomUUID().slice(0, 13);
let encoded = 0;

function encode(): Buffer {
  let text = "";
  for (const document of documents) {
    text += `{"create":{"_index":"${index}","_id":"${run}-${encoded++}"}}\n${JSON.stringify(document)}\n`;
  }
  return Buffer.from(text);
}

function send(body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/x-ndjson", "content-length": body.length };
    const bulk = request(cluster + PATH, { method: "POST", agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const answer = Buffer.concat(chunks).toString("latin1");
        if (answer.startsWith(`{"errors":false`)) resolve();
        else reject(new Error(`the cluster answered ${response.statusCode}: ${answer.slice(0, 500)}`));
      });
    });
    bulk.on("error", reject);
    bulk.end(body);
  });
}

serveLoad(Number(port), async (isOver) => {
  let stored = 0;
  await Promise.all(Array.from({ length: BULKS_IN_FLIGHT }, async () => {
    while (!isOver()) {
      await send(encode());
      stored += documents.length;
    }
  }));
  return stored;
});
