/**
 * Ends keep-alive connections that nobody uses any more. `node:http` would start and stop a timer at each request for
 * that, which on this runtime is a tenth of what a small request costs (measured); here all connections are looked at
 * every few seconds, and a request leaves no more than a mark.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Clock, Timer } from "./core/clock.ts";
import type { Connection } from "./ingress/connection.ts";

/** How long an idle connection stays, at least. Above the 60 s of common load balancers, so that they close first. */
const KEEP_ALIVE_MS = 75_000;
/** Time between two looks: an idle connection stays longer by so much at most. */
const LOOK_MS = 5_000;

interface Watched {
  readonly connection: Connection;
  /** The last look at which it was in use. */
  usedMs: number;
}

/** The connections of one server that have had a request. One without is `headersTimeout`'s matter. */
export class IdleConnections {
  readonly #clock: Clock;
  readonly #watched: Map<Socket, Watched> = new Map();
  #timer: Timer | null = null;

  /** Looks by `clock`. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Looks at `connection`, which has begun its first request, until `socket` is closed or {@linkcode forget} is called. */
  watch(socket: Socket, connection: Connection): void {
    this.#watched.set(socket, { connection, usedMs: this.#clock.nowMs() });
    socket.once("close", () => this.forget(socket));
    this.#timer ??= this.#clock.setTimer(() => this.#look(), LOOK_MS);
  }

  /** `socket` does not speak HTTP any more. */
  forget(socket: Socket): void {
    this.#watched.delete(socket);
    if (this.#watched.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(): void {
    const now = this.#clock.nowMs();
    this.#timer = this.#clock.setTimer(() => this.#look(), LOOK_MS);
    for (const [socket, watched] of this.#watched) {
      if (watched.connection.takeUse()) watched.usedMs = now;
      else if (now - watched.usedMs >= KEEP_ALIVE_MS) socket.destroy();
    }
  }
}
