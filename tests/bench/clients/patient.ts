/**
 * Clients that obey: each posts one record over and over; at 429 and 503 it waits as long as `Retry-After` says, and a
 * closed connection it opens again. `deno run -A patient.ts PORT CLIENTS BYTES SECONDS`; at the end it prints
 * {@linkcode PatientReport} on one line.
 *
 * @module
 */
import { type Answer, HttpConnection, isConnectionLoss } from "../../support/http_client.ts";

/** What the clients saw. */
export interface PatientReport {
  /** Bodies that were answered with 2xx. */
  readonly served: number;
  /** Answers with 429 or 503. */
  readonly refused: number;
  /** Refusals that came to a client which had just waited as told. */
  readonly refusedAgain: number;
  /** Connections lost under a request. */
  readonly lost: number;
  /** Other answers, by status. */
  readonly others: Record<string, number>;
  /** Per client, the longest time without a 2xx, in seconds; the time to the end of the run counts. */
  readonly longestWaits: readonly number[];
}

const [port, clients, bytes, seconds] = Deno.args.map(Number);
const body = new Uint8Array(bytes).fill(0x61);
const endMs = performance.now() + seconds * 1000;
const counts = { served: 0, refused: 0, refusedAgain: 0, lost: 0 };
const others: Record<string, number> = {};
const longestWaitsMs = new Array<number>(clients).fill(0);
const servedAtMs = new Array<number>(clients).fill(performance.now());
const REQUEST = { path: "/v1/streams/s", headers: { "Content-Type": "application/octet-stream" } };

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function client(index: number): Promise<void> {
  let connection = await HttpConnection.open(port);
  let hasWaited = false;
  while (performance.now() < endMs) {
    let answer: Answer;
    try {
      answer = await connection.request(REQUEST, body);
    } catch (error) {
      if (!isConnectionLoss(error)) throw error;
      counts.lost++;
      connection[Symbol.dispose]();
      await pause(100);
      connection = await HttpConnection.open(port);
      continue;
    }
    if (answer.headers.get("connection") === "close") {
      connection[Symbol.dispose]();
      connection = await HttpConnection.open(port);
    }
    if (answer.status < 300) {
      counts.served++;
      const nowMs = performance.now();
      longestWaitsMs[index] = Math.max(longestWaitsMs[index], nowMs - servedAtMs[index]);
      servedAtMs[index] = nowMs;
      hasWaited = false;
    } else if (answer.status === 429 || answer.status === 503) {
      counts.refused++;
      if (hasWaited) counts.refusedAgain++;
      await pause(Number(answer.headers.get("retry-after")) * 1000);
      hasWaited = true;
    } else {
      others[answer.status] = (others[answer.status] ?? 0) + 1;
      await pause(1000);
    }
  }
}

// A client may be in a wait of up to a minute when the time is over: the report does not wait for it.
const all = Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
await Promise.race([all, pause(seconds * 1000)]);
const longestWaits = longestWaitsMs.map((ms, index) => Math.max(ms, endMs - servedAtMs[index]) / 1000);
const report: PatientReport = { ...counts, others, longestWaits };
console.log(JSON.stringify(report));
Deno.exit(0);
