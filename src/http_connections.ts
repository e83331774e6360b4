/**
 * The connections of a server that still speak HTTP, counted here because the runtime's `close` calls back while
 * there are some. One that was upgraded is a WebSocket's, and ends with its session.
 *
 * @module
 */
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/** The open connections of one server. */
export class HttpConnections {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #gone = Promise.withResolvers<void>();
  #isAwaited = false;

  /** Counts those of `server` that come from now on. */
  constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      this.#open.add(socket);
      socket.once("close", () => this.#forget(socket));
    });
    server.on("upgrade", (_request: IncomingMessage, socket: Socket) => this.#forget(socket));
  }

  /**
   * Closes the listener and no connection. `close` of `node:http` closes idle ones, under which a request may be on its
   * way, and under Deno 2.9 that of `node:net` ends those whose bodies are still coming (measured).
   */
  takeNoMore(): void {
    (this.#server as unknown as { readonly _handle: { close(): void } | null })._handle?.close();
  }

  /** Resolves when there is none. */
  gone(): Promise<void> {
    this.#isAwaited = true;
    this.#tell();
    return this.#gone.promise;
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket);
    this.#tell();
  }

  #tell(): void {
    if (this.#isAwaited && this.#open.size === 0) this.#gone.resolve();
  }
}
