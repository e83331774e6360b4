/**
 * Clients that obey, many on one event loop: each posts one record over and over, and after a 429 or 503 it stays away as
 * long as `Retry-After` says.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { HttpConnection } from "../support/http_client.ts";

/** What the clients saw. */
export interface Returns {
  /** Records taken. */
  readonly served: number;
  /** Tries of clients that had just waited as told. */
  readonly returned: number;
  /** Of those, the ones that were refused again. */
  readonly refusedAgain: number;
}

/** Runs `clients` of them against `port` until `signal`; what happened in the first `warmMs` does not count. */
export async function runReturningClients(
  port: number,
  { clients, body, warmMs, runMs }: { clients: number; body: string; warmMs: number; runMs: number },
): Promise<Returns> {
  const counts = { served: 0, returned: 0, refusedAgain: 0 };
  const startMs = performance.now();
  const leftMs = () => startMs + warmMs + runMs - performance.now();
  const isWarm = () => performance.now() - startMs >= warmMs;
  const client = async () => {
    using connection = await HttpConnection.open(port);
    let hasWaited = false;
    while (leftMs() > 0) {
      const answer = await connection.request({
        path: "/v1/streams/s",
        headers: { "Content-Type": "text/plain" },
      }, body);
      const isRefused = answer.status === 429 || answer.status === 503;
      assert(isRefused || answer.status === 202, answer.body);
      if (isWarm()) {
        if (!isRefused) counts.served++;
        if (hasWaited) counts.returned++;
        if (hasWaited && isRefused) counts.refusedAgain++;
      }
      hasWaited = isRefused;
      if (!isRefused) continue;
      const seconds = Number(answer.headers.get("retry-after"));
      assertEquals(
        Number.isInteger(seconds) && seconds >= 1 && seconds <= 60,
        true,
        `Retry-After: ${seconds}`,
      );
      // One that is told to come after the end has done its part: to come earlier would be to disobey.
      if (seconds * 1000 >= leftMs()) return;
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
  };
  const end = new Promise((resolve) => setTimeout(resolve, warmMs + runMs));
  await Promise.all([end, ...Array.from({ length: clients }, client)]);
  return counts;
}
