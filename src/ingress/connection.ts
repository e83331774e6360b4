/**
 * What a connection of the data port remembers between and across its requests: those that are open on it, so that one
 * listener tells them all that the client is gone, and its place in line after a refusal.
 *
 * Nearly every connection has one open request at a time; only a client that pipelines has more, and only that one costs
 * a set.
 *
 * @module
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Requests of one connection whose answers are not with the system yet, and those of all: some 3 KB each and the answer,
 * which no pool counts. The server stops reading a client that reads nothing only after some 70,000 of them (measured:
 * ten such clients were 2.7 GB). What arrives between two turns of the event loop alone may be thousands; a connection
 * that goes beyond is cut.
 */
const MAX_PIPELINED = 4_096;
const MAX_PIPELINED_IN_ALL = 8_192;
let pipelined = 0;

const kConnection = Symbol("weir.connection");

/** A request that is open on a connection. */
export interface OpenExchange {
  /** Whether its body is here, so that what follows on the connection is another request. */
  readonly isReceived: boolean;
  /** The client is gone. */
  gone(): void;
}

interface Carrier {
  [kConnection]?: Connection;
}

/** One connection. */
export class Connection {
  /**
   * Set with an answer that says `Connection: close`: what the server has parsed behind that request is not answered,
   * and must not be taken either (RFC 9112, 9.6); it may be the rest of a body that was read in another way.
   */
  isEnding = false;
  /** Whether someone looks after it while it is idle. */
  isWatched = false;
  #isUsed = false;
  #only: OpenExchange | null = null;
  #more: Set<OpenExchange> | null = null;
  #pipelined = 0;
  #rankAge = -1;
  #rankFromMs = 0;

  /** The one of `socket`. */
  static of(socket: Socket): Connection {
    const carrier = socket as Socket & Carrier;
    let connection = carrier[kConnection];
    if (connection === undefined) {
      connection = carrier[kConnection] = new Connection();
      socket.on("close", onClose);
    }
    return connection;
  }

  /** A request came, to be answered by `response`. False when the client has pipelined more than `most` of them, or all have too many. */
  begins(response: ServerResponse & Carrier, most = MAX_PIPELINED): boolean {
    this.#isUsed = true;
    // It has the socket when no answer before it is still to be written, as nearly always.
    if (response.socket !== null) return true;
    this.#pipelined++;
    pipelined++;
    response[kConnection] = this;
    response.on("finish", onAnswered);
    return this.#pipelined <= most && pipelined <= MAX_PIPELINED_IN_ALL;
  }

  /** Whether a request came since the last call, or is open. */
  takeUse(): boolean {
    const isUsed = this.#isUsed || this.#only !== null || this.#more !== null && this.#more.size > 0;
    this.#isUsed = false;
    return isUsed;
  }

  /** An answer of a pipelined request is with the system. */
  answered(): void {
    this.#pipelined--;
    pipelined--;
  }

  /** `exchange` is open from now on. */
  open(exchange: OpenExchange): void {
    if (this.#only === null) this.#only = exchange;
    else (this.#more ??= new Set()).add(exchange);
  }

  /** `exchange` is over. */
  close(exchange: OpenExchange): void {
    if (this.#only === exchange) this.#only = null;
    else this.#more?.delete(exchange);
  }

  /** Whether a request that is here whole waits for its answer. */
  get owesAnswer(): boolean {
    return this.#only?.isReceived === true || this.#more !== null && this.#more.size > 0;
  }

  /** Tells all that are open that the client is gone. */
  gone(): void {
    pipelined -= this.#pipelined;
    this.#pipelined = 0;
    this.#only?.gone();
    this.#only = null;
    if (this.#more === null) return;
    for (const exchange of this.#more) exchange.gone();
    this.#more = null;
  }

  /** The age that a refused request had, when its client comes back at `nowMs` no earlier than it was told; else -1. */
  takeRank(nowMs: number): number {
    const age = this.#rankAge;
    this.#rankAge = -1;
    return nowMs >= this.#rankFromMs ? age : -1;
  }

  /** Keeps `age` for the next request, if that comes at `fromMs` or later. */
  keepRank(age: number, fromMs: number): void {
    this.#rankAge = age;
    this.#rankFromMs = fromMs;
  }
}

function onAnswered(this: ServerResponse & Carrier): void {
  this[kConnection]!.answered();
}

function onClose(this: Socket & Carrier): void {
  this[kConnection]!.gone();
}
