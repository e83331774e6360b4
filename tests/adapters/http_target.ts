/** A real HTTP server that stores what it is sent, and answers as a test tells it to. @module */
import { Buffer } from "node:buffer";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { linesOf } from "./stored.ts";

/** A request that the server read. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Decoded. */
  readonly body: Uint8Array;
  /** How many requests came before on the same connection. */
  readonly before: number;
}

/** Answers a request; `socket` is there for those who would rather not. */
export type Respond = (response: ServerResponse, seen: SeenRequest, socket: Socket) => void;

/** The server. */
export interface HttpTarget {
  /** Of this server, with a path. */
  readonly url: string;
  /** All requests, in order. */
  readonly seen: readonly SeenRequest[];
  /** Answers from here on; stores nothing. Null: store and answer 200. */
  respond: Respond | null;
  /** Connections that were ever made. */
  readonly connections: number;
  /** Resolves when `count` requests were read. */
  arrived(count: number): Promise<void>;
  /** Values of what was stored. */
  stored(): Uint8Array[];
  /** Stops. */
  close(): Promise<void>;
}

/** Starts one on a free port. */
export async function startHttpTarget(): Promise<HttpTarget> {
  const seen: SeenRequest[] = [];
  const values: Uint8Array[] = [];
  const requestsOf = new WeakMap<Socket, number>();
  const waiting: { count: number; resolve: () => void }[] = [];
  let connections = 0;
  // Else it closes what was idle for 5 s, as all is when the process stands still, and a test counts its connections.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const raw = Buffer.concat(chunks);
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
      const before = requestsOf.get(request.socket) ?? 0;
      requestsOf.set(request.socket, before + 1);
      const one = { method: request.method!, path: request.url!, headers: request.headers, body, before };
      seen.push(one);
      for (const each of waiting.splice(0)) {
        if (seen.length >= each.count) each.resolve();
        else waiting.push(each);
      }
      if (target.respond !== null) return target.respond(response, one, request.socket);
      if (request.method !== "HEAD") values.push(...valuesOf(one));
      response.setHeader("content-length", "0");
      response.end();
    });
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target: HttpTarget = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/records?from=weir`,
    seen,
    respond: null,
    get connections() {
      return connections;
    },
    arrived: (count) =>
      seen.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => void waiting.push({ count, resolve })),
    stored: () => values,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => error ? reject(error) : resolve());
        server.closeAllConnections();
      }),
  };
  return target;
}

/** An answer with a body and headers. */
export function answer(status: number, text = "", headers: Readonly<Record<string, string>> = {}): Respond {
  return (response) => {
    response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(text) });
    response.end(text);
  };
}

function valuesOf({ headers, body }: SeenRequest): Uint8Array[] {
  if (headers["content-type"] !== "application/json") return linesOf(body);
  return arrayElements(new TextDecoder("utf-8", { fatal: true }).decode(body)).map((text) =>
    new TextEncoder().encode(text)
  );
}

/** The elements of a JSON array as they were written, by their depth. */
function arrayElements(text: string): string[] {
  const elements: string[] = [];
  let [depth, from] = [0, 1];
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},]/g)) {
    const [token] = match;
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if ((token === "," && depth === 1) || depth === 0 && token === "]") {
      if (match.index > from) elements.push(text.slice(from, match.index));
      from = match.index + 1;
    }
  }
  JSON.parse(text);
  return elements;
}
