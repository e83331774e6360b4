/**
 * A connection that speaks `weir.v1`: it is told how much it may send, and what became of it. Acks are counted by runs
 * of messages (those of one turn of the event loop), never by message, and are told together.
 *
 * @module
 */
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import { AckCounter, type AckOwner } from "../partition/acks.ts";
import type { CreditWindow } from "./credit_window.ts";
import type { StreamDoor } from "./stream_door.ts";
import { cutToBytes } from "./websocket_close.ts";
import { Block, type MessageObserver, type WebSocketConnection } from "./websocket_connection.ts";

/** The subprotocol. */
export const SUBPROTOCOL = "weir.v1";

/** An ack is told that late at most; the contract's bound is 50 ms, and a timer may be late itself. */
const TELL_MS = 25;
/** Runs that wait for their outcome, at most; beyond, the last one takes more messages. Some 200 bytes each. */
const MAX_RUNS = 1_024;
/** A client that leaves so much of what it is told unread is not read either, bytes. */
const MAX_UNREAD_BYTES = 65_536;
/** Longest reason of a reject, bytes. */
const MAX_REASON_BYTES = 300;

/** The messages of a connection that came in one turn and wait for one outcome. */
class Run implements AckOwner {
  /** Number of its first message. */
  readonly first: number;
  readonly counter: AckCounter;
  settled = false;
  readonly #session: WebSocketSession;

  constructor(session: WebSocketSession, first: number) {
    this.#session = session;
    this.first = first;
    this.counter = new AckCounter(this);
  }

  allSettled(): void {
    this.settled = true;
    this.#session.advance();
  }
}

/** The session. */
export class WebSocketSession implements MessageObserver {
  readonly #id: string;
  readonly #socket: WebSocket;
  readonly #connection: WebSocketConnection;
  readonly #door: StreamDoor;
  readonly #window: CreditWindow;
  readonly #waitsForDelivery: boolean;
  /** Messages accounted for. */
  #done = 0;
  /** Messages told as acked. */
  #acked = 0;
  /** In order of their messages. */
  #runs: Run[] = [];
  #open: Run | null = null;
  #sealDeferred = false;
  #telling = false;
  #gone = false;

  /** Nothing is told before `begin`. */
  constructor(options: {
    id: string;
    socket: WebSocket;
    connection: WebSocketConnection;
    door: StreamDoor;
    window: CreditWindow;
  }) {
    this.#id = options.id;
    this.#socket = options.socket;
    this.#connection = options.connection;
    this.#door = options.door;
    this.#window = options.window;
    this.#waitsForDelivery = options.door.policy.ack === "delivered";
  }

  /** Tells the session's id and the first credit. */
  begin(): void {
    const grant = this.#window.refill(this.#door.clock.nowMs());
    this.#send({ hello: this.#id, credit: grant?.credit ?? 0, creditBytes: grant?.creditBytes ?? 0 });
    if (this.#window.isLow) this.#tellSoon();
  }

  arrived(bytes: number): boolean {
    const inCredit = this.#window.spend(bytes);
    if (this.#window.isLow) this.#endTurnSoon();
    return inCredit;
  }

  keep(bytes: number): void {
    this.#window.keep(bytes);
  }

  letGo(bytes: number): void {
    this.#window.letGo(bytes);
  }

  get waits(): boolean {
    return this.#acked < this.#done || this.#window.isLow;
  }

  counter(records: number): AckCounter | null {
    if (!this.#waitsForDelivery) return null;
    if (this.#open === null) {
      this.#open = new Run(this, this.#done - records + 1);
      this.#runs.push(this.#open);
      this.#endTurnSoon();
    }
    return this.#open.counter;
  }

  done(reason: string | null): void {
    this.#done++;
    if (reason !== null) this.#send({ reject: this.#done, reason: cutToBytes(reason, MAX_REASON_BYTES) });
    this.#tellSoon();
  }

  /** A run is settled: those before it decide whether that can be told. */
  advance(): void {
    let settled = 0;
    while (settled < this.#runs.length && this.#runs[settled].settled) settled++;
    if (settled === 0) return;
    this.#runs.splice(0, settled);
    if (this.#open !== null && this.#runs.length < MAX_RUNS) this.#endTurnSoon();
    this.#tellSoon();
  }

  flush(): void {
    if (this.#open !== null) this.#seal();
    this.#tell();
  }

  gone(): void {
    this.#gone = true;
    for (const run of this.#runs) run.counter.abandon();
    this.#runs = [];
    this.#open = null;
    this.#window.close();
    // What was kept for it is free.
    this.#door.admission.serve();
  }

  /** Messages up to there have their outcome. */
  get #settled(): number {
    return this.#runs.length > 0 ? this.#runs[0].first - 1 : this.#done;
  }

  /** One look at the end of the turn: the run ends, and a client that used up half its window is told more. */
  #endTurnSoon(): void {
    if (this.#sealDeferred) return;
    this.#sealDeferred = true;
    this.#door.clock.defer(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#sealDeferred = false;
    if (this.#gone) return;
    if (this.#open !== null && this.#runs.length <= MAX_RUNS) this.#seal();
    if (this.#window.isLow && !this.#refill()) this.#tellSoon();
  };

  #seal(): void {
    const run = this.#open!;
    this.#open = null;
    run.counter.seal();
  }

  #tellSoon(): void {
    if (this.#telling || this.#gone) return;
    this.#telling = true;
    this.#door.tellSoon(this.#tellNow, TELL_MS);
  }

  readonly #tellNow = (): void => {
    this.#telling = false;
    if (this.#gone) return;
    this.#tell();
    if (this.#window.isLow && !this.#refill()) this.#tellSoon();
  };

  #tell(): void {
    const settled = this.#settled;
    if (settled === this.#acked) return;
    this.#acked = settled;
    this.#send({ ack: settled });
  }

  #refill(): boolean {
    const grant = this.#window.refill(this.#door.clock.nowMs());
    if (grant !== null) this.#send(grant);
    return grant !== null;
  }

  #send(message: Readonly<Record<string, unknown>>): void {
    const socket = this.#socket;
    if (this.#gone || socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify(message), this.#sent);
    this.#connection.told();
    if (socket.bufferedAmount > MAX_UNREAD_BYTES) this.#connection.block(Block.OUTPUT, true);
  }

  /** Part of what was told has left; an error ends the connection by itself. */
  readonly #sent = (): void => {
    if (this.#socket.bufferedAmount <= MAX_UNREAD_BYTES / 2) this.#connection.block(Block.OUTPUT, false);
  };
}
