/**
 * Looks after the WebSockets that are open: asks the quiet ones whether they are there, cuts those that do not answer,
 * and closes those that send nothing. These are two questions, each with one timer for all connections: a client that
 * answers pings is there, and is idle all the same.
 *
 * @module
 */
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import type { Clock, Timer } from "../core/clock.ts";
import { Close } from "./websocket_close.ts";
import type { WebSocketConnection } from "./websocket_connection.ts";

/** Pings without an answer after which a connection is dead. */
const MAX_MISSED = 2;
/** How often idle connections are looked for within `idleTimeoutMs`; one is closed a tenth of it late at most. */
const IDLE_LOOKS = 10;

/** Times of a connection, ms. */
export interface SocketTimes {
  /** How often a quiet connection is asked whether it is alive; 0 never. */
  readonly pingMs: number;
  /** After so long without a message a connection is closed; 0 never. */
  readonly idleTimeoutMs: number;
}

/** The connections. */
export class SocketWatch {
  readonly #clock: Clock;
  readonly #times: SocketTimes;
  /** Each with the pings that it has not answered. */
  readonly #missed: Map<WebSocketConnection, number> = new Map();
  #pingTimer: Timer | null = null;
  #idleTimer: Timer | null = null;

  /** By `times` of `clock`. */
  constructor(clock: Clock, times: SocketTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#missed.size;
  }

  /** Looks after `connection`, whose pongs `socket` tells. */
  add(connection: WebSocketConnection, socket: WebSocket): void {
    this.#missed.set(connection, 0);
    socket.on("pong", () => {
      if (this.#missed.has(connection)) this.#missed.set(connection, 0);
    });
    this.#pingSoon();
    this.#closeIdleSoon();
  }

  /** The connection is gone. */
  remove(connection: WebSocketConnection): void {
    this.#missed.delete(connection);
  }

  /** Ends every connection now. */
  cut(): void {
    for (const connection of [...this.#missed.keys()]) connection.terminate();
    this.#pingTimer?.cancel();
    this.#idleTimer?.cancel();
    this.#pingTimer = this.#idleTimer = null;
  }

  #pingSoon(): void {
    const { pingMs } = this.#times;
    if (pingMs === 0 || this.size === 0) return;
    this.#pingTimer ??= this.#clock.setTimer(() => {
      this.#pingTimer = null;
      const nowMs = this.#clock.nowMs();
      for (const [connection, missed] of [...this.#missed]) this.#ask(connection, missed, nowMs);
      this.#pingSoon();
    }, pingMs);
  }

  #ask(connection: WebSocketConnection, missed: number, nowMs: number): void {
    // What is not read cannot answer; its client learns that we are here by the ping.
    if (connection.paused) {
      this.#missed.set(connection, 0);
      connection.ping();
      return;
    }
    const { pingMs } = this.#times;
    // Any byte is a sign of life, but only a message makes a question needless.
    const unanswered = nowMs - connection.lastByteMs < pingMs ? 0 : missed;
    if (unanswered >= MAX_MISSED) {
      connection.terminate();
      return;
    }
    const asks = nowMs - connection.quietSinceMs >= pingMs;
    this.#missed.set(connection, asks ? unanswered + 1 : unanswered);
    if (asks) connection.ping();
  }

  #closeIdleSoon(): void {
    const { idleTimeoutMs } = this.#times;
    if (idleTimeoutMs === 0 || this.size === 0) return;
    this.#idleTimer ??= this.#clock.setTimer(() => {
      this.#idleTimer = null;
      const idleSinceMs = this.#clock.nowMs() - idleTimeoutMs;
      for (const connection of [...this.#missed.keys()]) {
        if (connection.waits || connection.quietSinceMs > idleSinceMs) continue;
        connection.close(Close.GOING_AWAY, `no message within idleTimeoutMs ${idleTimeoutMs}`);
      }
      this.#closeIdleSoon();
    }, idleTimeoutMs / IDLE_LOOKS);
  }
}
