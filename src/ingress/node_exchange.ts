/**
 * An exchange of `node:http`. A body that was refused is read off, because a blocking client looks for the answer only
 * when it has sent all, and because the connection can then be used again; but only up to a bound, in bytes and time.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Connection, type OpenExchange } from "./connection.ts";
import type { Exchange } from "./exchange.ts";
import type { IngestRequest } from "./ingest_request.ts";
import { type ReadOff, ReadOffQueue, SILENT_MS } from "./read_off.ts";
import type { Reply } from "./replies.ts";

/** Most bytes of a refused body that are read off; beyond, the connection is closed. */
export const READ_OFF_BYTES = 1_048_576;
/** Most that one read of a socket brings. */
const CHUNK_BYTES = 65_536;
/** Longest time that a refused body is read off, ms. */
const READ_OFF_MS = 5_000;

const kExchange = Symbol("weir.exchange");

/** One for the process: memory is the process's. */
const readOffs = new ReadOffQueue();

/** A request with its exchange: the listeners are shared functions, none is made per request. */
interface Carrying {
  [kExchange]?: NodeExchange;
}

/** The exchange. */
export class NodeExchange implements Exchange, ReadOff, OpenExchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #connection: Connection;
  readonly #contentLength: number;
  #ingest: IngestRequest | null = null;
  #readOff = -1;
  #received = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Over one request of `node:http`. */
  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    this.#connection = Connection.of(request.socket);
    const length = request.headers["content-length"];
    this.#contentLength = length === undefined ? -1 : Number(length);
  }

  /** The body's chunks go to `ingest` from now on. */
  bind(ingest: IngestRequest): void {
    this.#ingest = ingest;
    if (this.#readOff < 0) this.#listen(); // else it was refused while it was made
  }

  #listen(): void {
    const request = this.#request as IncomingMessage & Carrying;
    if (request[kExchange] !== undefined) return;
    request[kExchange] = this;
    request.on("data", onData);
    // A body of known length ends with its last byte (`data`): one listener less per request.
    if (!(this.#contentLength > 0)) request.on("end", onEnd);
    this.#connection.open(this);
  }

  get isReceived(): boolean {
    return this.#request.complete;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return typeof value === "string" ? value : value?.[0];
  }

  *headers(): Iterable<readonly [string, string]> {
    const raw = this.#request.rawHeaders;
    for (let i = 0; i + 1 < raw.length; i += 2) yield [raw[i].toLowerCase(), raw[i + 1]];
  }

  takeRank(nowMs: number): number {
    return this.#connection.takeRank(nowMs);
  }

  keepRank(age: number, fromMs: number): void {
    this.#connection.keepRank(age, fromMs);
  }

  pause(): void {
    this.#request.pause();
  }

  resume(): void {
    this.#request.resume();
  }

  reply(reply: Reply, body: "complete" | "unread", close: boolean): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    // Too much is left to be read off: the client is told now that the connection ends.
    const tooMuch = body === "unread" && this.#contentLength - this.#received > READ_OFF_BYTES;
    if (close || tooMuch) this.#connection.isEnding = true;
    // An answer given inside the server's `request` event can stop a pipelining connection for good on this runtime.
    if (this.#ingest === null) queueMicrotask(() => this.#send(reply, close || tooMuch));
    else this.#send(reply, close || tooMuch);
    if (body === "unread") this.#startReadingOff();
    else this.#close();
  }

  #send(reply: Reply, close: boolean): void {
    const response = this.#response;
    // Header by header, and Content-Length left to `end`: on this runtime an array given to writeHead costs a quarter
    // of the requests per second, and a length of one's own a twentieth (measured).
    response.statusCode = reply.status;
    for (let i = 0; i + 1 < reply.headers.length; i += 2) {
      response.setHeader(reply.headers[i], reply.headers[i + 1]);
    }
    if (close) response.setHeader("Connection", "close");
    response.end(reply.body, reply.isAscii ? "latin1" : "utf8");
  }

  /** A chunk came. */
  data(chunk: Uint8Array): void {
    this.#received += chunk.length;
    if (this.#readOff < 0) {
      this.#ingest!.onData(chunk);
    } else {
      this.#readOff += chunk.length;
      if (this.#readOff > READ_OFF_BYTES) return this.#cut();
    }
    if (this.#received === this.#contentLength) this.end();
  }

  /** The body ended. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#readOff < 0) this.#ingest!.onEnd();
    else this.#close();
  }

  /** The client is gone. */
  gone(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#readOff < 0) this.#ingest?.onGone();
    else readOffs.end(this);
  }

  flow(): void {
    this.#request.resume();
    // From here the time runs: while it waited for its turn it could bring nothing.
    this.#setTimer(() => this.#look(0), SILENT_MS);
  }

  /** Gives the turn away when nothing came since `seen` bytes; cuts the connection when its time is over. */
  #look(seen: number, spentMs = SILENT_MS): void {
    if (this.#readOff === seen) readOffs.end(this);
    if (spentMs >= READ_OFF_MS) return this.#cut();
    const now = this.#readOff;
    this.#setTimer(() => this.#look(now, spentMs + SILENT_MS), SILENT_MS);
  }

  #setTimer(run: () => void, delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(run, delayMs);
  }

  #close(): void {
    this.#connection.close(this);
    if (this.#readOff >= 0) readOffs.end(this);
  }

  #startReadingOff(): void {
    this.#readOff = 0;
    const request = this.#request;
    if (request.complete && request.readableEnded) return this.#close();
    this.#listen();
    const left = this.#contentLength - this.#received;
    // What fits one chunk is as good as here.
    if (this.#contentLength >= 0 && left <= CHUNK_BYTES) return this.flow();
    request.pause();
    readOffs.begin(this);
  }

  #cut(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#request.socket?.destroy();
  }
}

function onData(this: IncomingMessage & Carrying, chunk: Uint8Array): void {
  this[kExchange]!.data(chunk);
}

function onEnd(this: IncomingMessage & Carrying): void {
  this[kExchange]!.end();
}
