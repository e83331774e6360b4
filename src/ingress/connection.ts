/**
 * What a connection of the data port remembers between and across its requests: those that are open on it, so that one
 * listener tells them all that the client is gone, and its place in line after a refusal.
 *
 * Nearly every connection has one open request at a time; only a client that pipelines has more, and only that one costs
 * a set.
 *
 * @module
 */
import type { Socket } from "node:net";

/**
 * Unanswered requests of one connection, and those beyond the first of each in the whole process: some 3 KB each, which
 * no pool counts. A chunk of 64 KiB alone may hold a thousand; a connection that goes beyond is cut.
 */
const MAX_PIPELINED = 2_048;
const MAX_PIPELINED_IN_ALL = 16_384;
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
  #only: OpenExchange | null = null;
  #more: Set<OpenExchange> | null = null;
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

  /** `exchange` is open from now on. False when the client pipelines more than a connection may. */
  open(exchange: OpenExchange): boolean {
    if (this.#only === null) {
      this.#only = exchange;
      return true;
    }
    this.#more ??= new Set();
    this.#more.add(exchange);
    pipelined++;
    return this.#more.size < MAX_PIPELINED && pipelined <= MAX_PIPELINED_IN_ALL;
  }

  /** `exchange` is over. */
  close(exchange: OpenExchange): void {
    if (this.#only === exchange) this.#only = null;
    else if (this.#more?.delete(exchange)) pipelined--;
  }

  /** Whether a request that is here whole waits for its answer. */
  get owesAnswer(): boolean {
    return this.#only?.isReceived === true || this.#more !== null && this.#more.size > 0;
  }

  /** Tells all that are open that the client is gone. */
  gone(): void {
    this.#only?.gone();
    this.#only = null;
    if (this.#more === null) return;
    pipelined -= this.#more.size;
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

function onClose(this: Socket & Carrier): void {
  this[kConnection]!.gone();
}
