/**
 * A server that speaks `weir.v1` as a test tells it to, on a real socket: a gateway cannot be made to greet late, to ack
 * nothing, or to say what is no word of the protocol.
 *
 * @module
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { deadline } from "@std/async/deadline";

/** Generous: two cores that other tests share. */
const WAIT_MS = 10_000;
const decoder = new TextDecoder();

/** One connection of a client. */
export class ScriptedConnection {
  /** Messages in the order in which they came. */
  readonly messages: string[] = [];
  readonly #socket: WebSocket;
  readonly #closed: Promise<unknown>;
  #arrived = Promise.withResolvers<void>();

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.#closed = once(socket, "close");
    socket.on("message", (message: Uint8Array) => {
      this.messages.push(decoder.decode(message));
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    });
  }

  /** Sends `words` as one frame; text as it is. */
  say(words: string | Readonly<Record<string, unknown>>): void {
    this.#socket.send(typeof words === "string" ? words : JSON.stringify(words));
  }

  /** Greets, with credit for `records` of 1 KiB. */
  hello(records = 100): void {
    this.say({ hello: "s", credit: records, creditBytes: records * 1024 });
  }

  /** Resolves with the messages when there are `count` of them. */
  async received(count: number): Promise<string[]> {
    while (this.messages.length < count) {
      await deadline(this.#arrived.promise, WAIT_MS);
    }
    return this.messages;
  }

  /** Closes with a close frame. */
  close(code: number, reason = ""): void {
    this.#socket.close(code, reason);
  }

  /** Ends the connection without a word. */
  cut(): void {
    this.#socket.terminate();
  }

  /** Resolves when the connection is closed. */
  async closed(): Promise<void> {
    await deadline(this.#closed, WAIT_MS);
  }
}

/** The server. */
export class ScriptedGateway implements AsyncDisposable {
  /** For a client. */
  readonly url: string;
  /** Upgrades that are answered with 503 before one is taken. */
  refusals = 0;
  /** When upgrades were asked for, ms. */
  readonly attemptsMs: number[] = [];
  readonly #server: WebSocketServer;
  readonly #fresh: ScriptedConnection[] = [];
  #arrived = Promise.withResolvers<void>();

  private constructor(server: WebSocketServer) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/streams/s`;
    server.on("connection", (socket) => {
      this.#fresh.push(new ScriptedConnection(socket));
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    });
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(): Promise<ScriptedGateway> {
    const server: WebSocketServer = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      handleProtocols: (offered) => offered.has("weir.v1") ? "weir.v1" : false,
      verifyClient: (_info, answer) => {
        gateway.attemptsMs.push(performance.now());
        answer(gateway.refusals-- <= 0, 503);
      },
    });
    await once(server, "listening");
    const gateway: ScriptedGateway = new ScriptedGateway(server);
    return gateway;
  }

  /** The next connection of a client. */
  async connection(): Promise<ScriptedConnection> {
    while (this.#fresh.length === 0) {
      await deadline(this.#arrived.promise, WAIT_MS);
    }
    return this.#fresh.shift()!;
  }

  /** Cuts all connections and listens no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
