/**
 * What the loaders of a cluster share: documents, and a door by which a row runs them. `POST /?seconds=S` answers
 * `{"work", "seconds"}`, in documents, from the first bulk to the last answer.
 *
 * @module
 */
import { createServer } from "node:http";
import { jsonRecord } from "../bodies.ts";

/** Documents in a bulk. */
export const BULK_DOCUMENTS = 1000;
/** Bulks under way. */
export const BULKS_IN_FLIGHT = 4;
/** Bytes of a document. */
export const DOCUMENT_BYTES = 300;

/** The documents of a bulk, as a program has them. */
export function bulkDocuments(): Record<string, unknown>[] {
  return Array.from({ length: BULK_DOCUMENTS }, (_, n) => JSON.parse(jsonRecord(DOCUMENT_BYTES, n)));
}

/** Listens on `port`; `load` sends documents until `isOver` and resolves to how many were stored. */
export function serveLoad(port: number, load: (isOver: () => boolean) => Promise<number>): void {
  createServer((req, res) => {
    const seconds = Number(new URL(req.url!, "http://localhost").searchParams.get("seconds"));
    const startMs = performance.now();
    load(() => performance.now() - startMs >= seconds * 1000).then(
      (work) => res.end(JSON.stringify({ work, seconds: (performance.now() - startMs) / 1000 })),
      (error) => {
        res.statusCode = 500;
        res.end(String(error));
      },
    );
  }).listen(port, "127.0.0.1");
}
