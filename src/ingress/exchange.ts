/**
 * One HTTP exchange, whichever server carries it: the body comes in chunks and can be paused, the answer goes out once.
 *
 * @module
 */
import type { Reply } from "./replies.ts";

/** The server's side, as an ingest request uses it. */
export interface Exchange {
  /** A request header by its lower-case name. */
  header(name: string): string | undefined;
  /** All request headers, names in lower case. */
  headers(): Iterable<readonly [string, string]>;
  /** The age that a refused request of this connection had, when it comes back no earlier than it was told; else -1. */
  takeRank(nowMs: number): number;
  /** Keeps `age` for the next request of this connection, if that comes at `fromMs` or later. */
  keepRank(age: number, fromMs: number): void;
  /** Stops the body: at most what was already read still comes. */
  pause(): void;
  /** Lets the body come. */
  resume(): void;
  /** Answers. Of a body that is `unread` the exchange reads a bounded part off, and then closes. */
  reply(reply: Reply, body: "complete" | "unread", close: boolean): void;
}
