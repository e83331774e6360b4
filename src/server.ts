/**
 * The data port: `node:http`, because it is the only server measured here under which a refused or paused body really
 * closes the sender's window. Ingest is answered from the raw request; everything else goes to the Hono app.
 *
 * @module
 */
import { getRequestListener, RequestError } from "@hono/node-server";
import type { Hono } from "hono";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ListenConfig } from "./config.ts";
import { authority } from "./core/authority.ts";
import type { Clock } from "./core/clock.ts";
import { answerHeadFault, headFault } from "./head_faults.ts";
import { HttpConnections } from "./http_connections.ts";
import { IdleConnections } from "./idle_connections.ts";
import { Connection } from "./ingress/connection.ts";
import type { HttpIngress } from "./ingress/http_ingress.ts";
import { WebSocketIngress } from "./ingress/websocket_ingress.ts";
import type { TlsMaterial } from "./tls.ts";
import { contextOf, createTlsServer } from "./tls_server.ts";

/** Requests that came too slowly are looked for this often; `node:http`'s own 30 s would make a 10 s limit a 40 s one. */
const CONNECTIONS_CHECK_MS = 1_000;

/**
 * What a paused request may hold unread: the chunk in which this is passed is the last one read. With `node:http`'s own
 * 64 KiB a second chunk of 64 KiB follows the first; with 256 clients that was 60 MB more (measured).
 */
const UNREAD_BYTES = 16_384;

/** Operators, probes and scrapers are few; each answer may be a hundred KB, so a client that does not read them must not ask for many. */
const MAX_ADMIN_CONNECTIONS = 256;
const MAX_ADMIN_PIPELINED = 4;

const LISTENER = { overrideGlobalObjects: false, errorHandler: answerUnroutable };

/** What the kernel asks of those who share a port. */
const NOT_SHARED = " by a program of another user, or one that was started without listen.reusePort";

/** An open port. */
export interface ListeningServer {
  /** The server. */
  readonly server: Server;
  /** Port in use: the one asked for, or the one that 0 became. */
  readonly port: number;
  /** Takes no more connections and closes idle ones; resolves when all are gone. */
  close(): Promise<void>;
  /** Closes every connection now. */
  cut(): void;
}

/** The open data port. */
export interface DataServer extends ListeningServer {
  /**
   * Takes no more connections, and ends each that is open with the answer to its next request: whoever listens on the
   * same port gets the new ones. Resolves when none is left. A client never finds its connection closed under a request,
   * as it might when idle ones were closed at once.
   */
  handOver(): Promise<void>;
  /** Goes on with another config, for what comes from now on: limits, and certificates where it speaks TLS. */
  adopt(config: ListenConfig, secure: TlsMaterial | null): void;
}

/** Opens the data port, with HTTPS where there are certificates. Rejects with what is wrong with the address. */
export async function openDataPort(
  config: ListenConfig,
  secure: TlsMaterial | null,
  ingress: HttpIngress,
  sockets: WebSocketIngress,
  app: Hono,
  clock: Clock,
): Promise<DataServer> {
  const listener = getRequestListener(app.fetch, LISTENER);
  const fallback = (request: IncomingMessage, response: ServerResponse) => {
    visits(request, response);
    void listener(request, response);
  };
  const idle = new IdleConnections(clock);
  const options = {
    headersTimeout: config.headersTimeoutMs,
    requestTimeout: config.requestTimeoutMs,
    // `IdleConnections` does it, for less.
    keepAliveTimeout: 0,
    connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
    highWaterMark: UNREAD_BYTES,
    // Others ask for HTTP/2 (`curl --http2`) and take HTTP/1.1 as well.
    shouldUpgradeCallback: WebSocketIngress.isAsked,
    // Its answer to a head without one says nothing; ours does.
    requireHostHeader: false,
  } as ServerOptions;
  let isHandedOver = false;
  /** As `isFit`; while the port is handed over, the connection ends with this answer. */
  const isTaken = (request: IncomingMessage, response: ServerResponse) => {
    if (!isFit(request, response)) return false;
    const { socket } = request;
    const connection = Connection.of(socket);
    if (!connection.isWatched) {
      connection.isWatched = true;
      idle.watch(socket, connection);
    }
    if (isHandedOver) endWith(response, request.socket);
    return true;
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    if (isTaken(request, response) && !ingress.handle(request, response)) fallback(request, response);
  };
  const secureServer = secure === null ? null : createTlsServer(options, secure, onRequest);
  const server = secureServer ?? createServer(options, onRequest);
  server.maxConnections = config.maxConnections;
  const connections = new HttpConnections(server);
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    if (!isTaken(request, response)) return;
    if (ingress.handleExpect(request, response)) return;
    response.writeContinue();
    fallback(request, response);
  });
  server.on(
    "upgrade",
    (request: IncomingMessage, socket: Socket, head: Uint8Array) => {
      idle.forget(socket);
      if (Connection.of(socket).isEnding || headFault(request) !== null) {
        end(socket, 400, "Bad Request");
        socket.destroySoon();
      } else sockets.upgrade(request, socket, head);
    },
  );
  server.on("clientError", secureServer ? closeOrAnswer : answerClientError);
  return {
    ...await listen(server, config, "listen", () => sockets.cut()),
    handOver: () => {
      isHandedOver = true;
      connections.takeNoMore();
      return connections.gone();
    },
    adopt: (next, nextSecure) => {
      server.headersTimeout = next.headersTimeoutMs;
      server.requestTimeout = next.requestTimeoutMs;
      server.maxConnections = next.maxConnections;
      if (nextSecure !== null) secureServer?.setSecureContext(contextOf(nextSecure));
    },
  };
}

/** Opens the admin port. */
export function openAdminPort(app: Hono, hostname: string, port: number): Promise<ListeningServer> {
  const listener = getRequestListener(app.fetch, LISTENER);
  const server = createServer(
    { requireHostHeader: false },
    (request: IncomingMessage, response: ServerResponse) => {
      if (isFit(request, response, MAX_ADMIN_PIPELINED)) void listener(request, response);
    },
  );
  server.maxConnections = MAX_ADMIN_CONNECTIONS;
  server.on("clientError", answerClientError);
  return listen(server, { hostname, port }, "admin");
}

function listen(
  server: Server,
  { hostname, port, reusePort }: Pick<ListenConfig, "hostname" | "port"> & Partial<ListenConfig>,
  section: string,
  cutMore: () => void = () => {},
): Promise<ListeningServer> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const inUse = reusePort ? `the port is in use${NOT_SHARED}` : "the port is in use";
      const why = error.code === "EADDRINUSE" ? inUse : error.message;
      reject(
        new Error(
          `Cannot listen on ${authority(hostname, port)} (${section}.hostname, ${section}.port): ${why}`,
        ),
      );
    });
    server.listen({ port, host: hostname, reusePort }, () => {
      const address = server.address();
      resolve({
        server,
        port: typeof address === "object" && address !== null ? address.port : port,
        close: () =>
          new Promise<void>((closed) => {
            server.close(() => closed());
            server.closeIdleConnections();
          }),
        cut: () => {
          server.closeAllConnections();
          cutMore();
        },
      });
    });
  });
}

/** A handshake that failed has nobody who could read an answer. */
function closeOrAnswer(error: NodeJS.ErrnoException, socket: Socket): void {
  if (/^(HPE|ERR_HTTP)_/.test(error.code ?? "")) answerClientError(error, socket);
  else socket.destroy();
}

/**
 * Whether `request` is to be handled: not one that is behind the end of its connection or one of too many, nor one whose
 * head was refused here. `mostPipelined` as in `Connection.begins`.
 */
function isFit(request: IncomingMessage, response: ServerResponse, mostPipelined?: number): boolean {
  const connection = Connection.of(request.socket);
  if (connection.isEnding) return false;
  if (!connection.begins(response, mostPipelined)) {
    request.socket.destroy();
    return false;
  }
  const fault = headFault(request);
  if (fault !== null) answerHeadFault(fault, request, response);
  return fault === null;
}

/** A request of the app keeps its connection in use until its answer is with the system. */
function visits(request: IncomingMessage, response: ServerResponse): void {
  const connection = Connection.of(request.socket);
  const visit = {
    get isReceived() {
      return request.complete;
    },
    gone: () => {},
  };
  connection.open(visit);
  response.once("close", () => connection.close(visit));
}

/** What a target that is no URL is answered, as it reaches no app; an app answers its own faults. */
function answerUnroutable(error: unknown): Response {
  const status = error instanceof RequestError ? 400 : 500;
  const detail = error instanceof RequestError
    ? `the request's target cannot be read: ${error.message}`
    : "the request failed by a fault of Weir";
  const body = { type: "urn:weir:problem:bad-request", title: "Bad target", status, detail };
  return Response.json(body, { status, headers: { "Content-Type": "application/problem+json" } });
}

/** What `node:http` found wrong before there was a request. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // Behind a request that waits for its answer, this one would be taken for that.
  if (!socket.writable || error.code === "ECONNRESET" || Connection.of(socket).owesAnswer) {
    socket.destroy();
    return;
  }
  // Its last answer is given and ends it; one more would be read as a part of an answer that has no length.
  if (Connection.of(socket).isEnding) return;
  const [status, text]: [number, string] = error.code === "ERR_HTTP_REQUEST_TIMEOUT"
    ? [408, "Request Timeout"]
    : error.code === "HPE_HEADER_OVERFLOW"
    ? [431, "Request Header Fields Too Large"]
    : [400, "Bad Request"];
  end(socket, status, text);
}

/** Lets `response` be the last one of its connection. */
function endWith(response: ServerResponse, socket: Socket): void {
  response.shouldKeepAlive = false;
  Connection.of(socket).isEnding = true;
}

/** Closes with the shortest answer there is. */
function end(socket: Socket, status: number, text: string): void {
  socket.end(`HTTP/1.1 ${status} ${text}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}
