/**
 * One request and its answer on `node:http`, whose corked writes send the pieces of a body without joining them
 * (measured on 1 MiB bodies: 2.2 times the throughput of `fetch` at 0.4 of its CPU).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import * as http from "node:http";
import * as https from "node:https";
import type { IncomingMessage } from "node:http";
import { byteLength } from "./body.ts";

/** Read off and thrown away, so that the connection can be used again; an answer that is longer costs the connection. */
const MAX_DROPPED_BYTES = 64 * 1024;

/** Where requests go and how. */
export interface Endpoint {
  /** `http:` or `https:`. */
  readonly url: URL;
  /** Method. */
  readonly method: string;
  /** Headers, names in lower case; `content-length` comes from the body. */
  readonly headers: Readonly<Record<string, string>>;
  /** Holds the idle connections. */
  readonly agent: http.Agent;
  /** Bytes of an answer's body that are kept. */
  readonly maxAnswerBytes: number;
}

/** What the server said. */
export interface Answer {
  /** Status code. */
  readonly status: number;
  /** Its text. */
  readonly statusText: string;
  /** Value of `Retry-After`, or null. */
  readonly retryAfter: string | null;
  /** Start of the body. */
  readonly body: Uint8Array;
  /** Whether `body` is all of it. */
  readonly isWhole: boolean;
}

/** `host:port` of `url`; `URL.host` leaves the usual port of its scheme out. */
export function hostAndPort({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}

/** An agent that keeps idle connections to `url`; `ca` (PEM) are the only authorities to trust, where given. */
export function keepAliveAgent(url: URL, ca?: string): http.Agent {
  return url.protocol === "https:"
    ? new https.Agent({ keepAlive: true, ca })
    : new http.Agent({ keepAlive: true });
}

/**
 * Sends `body` and resolves to the answer; rejects when there is none, and after `signal` is aborted. Settles when the
 * connection no longer reads `body`. A connection that the server closed while it was idle is no failure of the
 * server, so the request goes again at once, on a new one (Deno does so itself, but only for bodies of a few pieces).
 */
export async function exchange(
  endpoint: Endpoint,
  body: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<Answer> {
  const first = await attempt(endpoint, body, endpoint.agent, signal);
  if (first.kind === "answer") return first.answer;
  if (!first.wasIdle || signal.aborted) throw first.error;
  const second = await attempt(endpoint, body, false, signal);
  if (second.kind === "answer") return second.answer;
  throw second.error;
}

type Attempt =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "failed"; readonly error: unknown; readonly wasIdle: boolean };

function attempt(
  endpoint: Endpoint,
  body: readonly Uint8Array[],
  agent: http.Agent | false,
  signal: AbortSignal,
): Promise<Attempt> {
  const { promise, resolve } = Promise.withResolvers<Attempt>();
  if (signal.aborted) {
    resolve({ kind: "failed", error: signal.reason, wasIdle: false });
    return promise;
  }
  const { url, method } = endpoint;
  const send = url.protocol === "https:" ? https.request : http.request;
  const headers = { ...endpoint.headers, "content-length": byteLength(body) };
  const request = send(url, { method, headers, agent });
  let answer: Answer | null = null;
  let failure: unknown = null;
  let isSent = false;
  // On a connection that was used before, Deno 2.9.6 tells the end of the connection and nothing of the request.
  const giveUp = (reason?: Error) => {
    if (request.socket?.destroyed) return settle();
    request.socket?.once("close", settle);
    request.destroy(reason);
  };
  const onAbort = () => giveUp(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  request.on("finish", () => isSent = true);
  request.on("error", (error: unknown) => failure ??= error);
  request.on("response", (response) => {
    answer = new IncomingAnswer(response, endpoint.maxAnswerBytes, giveUp);
    // A refusal may come before the body was read, which it then may never be.
    response.on("end", () => {
      if (!isSent && !isSuccess(answer!)) giveUp();
    });
  });
  const settle = () => {
    signal.removeEventListener("abort", onAbort);
    if (answer !== null && (isSent || !isSuccess(answer))) resolve({ kind: "answer", answer });
    else {
      const error = signal.aborted ? signal.reason : failure ?? new Error(
        `the connection was closed ${answer === null ? "without an answer" : "before the body was read"}`,
      );
      resolve({ kind: "failed", error, wasIdle: request.reusedSocket });
    }
  };
  // Comes last, whatever went before; only then does nothing read the body any more.
  request.on("close", settle);
  request.cork();
  for (const piece of body) request.write(piece);
  request.end();
  request.uncork();
  return promise;
}

/** A server that has not read a body cannot have stored it, whatever it says. */
function isSuccess({ status }: Answer): boolean {
  return status < 300;
}

/** An answer whose body is being read off. */
class IncomingAnswer implements Answer {
  readonly status: number;
  readonly statusText: string;
  readonly retryAfter: string | null;
  readonly #maxBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #keptBytes = 0;
  #isWhole = false;

  constructor(response: IncomingMessage, maxBytes: number, giveUp: () => void) {
    this.status = response.statusCode ?? 0;
    this.statusText = response.statusMessage ?? "";
    this.retryAfter = response.headers["retry-after"] ?? null;
    this.#maxBytes = maxBytes;
    let droppedBytes = 0;
    response.on("data", (chunk: Uint8Array) => {
      const kept = this.#keep(chunk);
      droppedBytes += chunk.length - kept;
      if (droppedBytes > MAX_DROPPED_BYTES) giveUp();
    });
    response.on("end", () => this.#isWhole = droppedBytes === 0);
    // The status stands in the head: a body that breaks off changes nothing of it.
    response.on("error", () => {});
  }

  get body(): Uint8Array {
    return Buffer.concat(this.#chunks, this.#keptBytes);
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  #keep(chunk: Uint8Array): number {
    const kept = Math.min(chunk.length, this.#maxBytes - this.#keptBytes);
    if (kept > 0) this.#chunks.push(chunk.subarray(0, kept));
    this.#keptBytes += kept;
    return kept;
  }
}
