/**
 * An exchange of the Fetch API: the body is a web stream, read one chunk at a time, so that a paused one is simply not
 * read.
 *
 * @module
 */
import type { Exchange } from "./exchange.ts";
import type { IngestRequest } from "./ingest_request.ts";
import { READ_OFF_BYTES } from "./node_exchange.ts";
import type { Reply } from "./replies.ts";

/** The exchange. */
export class WebExchange implements Exchange {
  /** Resolves to the answer. */
  readonly response: Promise<Response>;
  readonly #request: Request;
  readonly #answer: (response: Response) => void;
  #ingest: IngestRequest | null = null;
  #answered = false;
  #resume: (() => void) | null = null;
  #paused = false;

  /** Over one request. */
  constructor(request: Request) {
    this.#request = request;
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#answer = resolve;
  }

  /** The body's chunks go to `ingest` from now on. */
  bind(ingest: IngestRequest): void {
    this.#ingest = ingest;
    if (!this.#answered) void this.#read();
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined;
  }

  headers(): Iterable<readonly [string, string]> {
    return this.#request.headers.entries();
  }

  /** The Fetch API does not tell one connection from another. */
  takeRank(): number {
    return -1;
  }

  keepRank(): void {}

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#resume?.();
    this.#resume = null;
  }

  reply(reply: Reply, body: "complete" | "unread", close: boolean): void {
    if (this.#answered) return;
    this.#answered = true;
    const headers = new Headers();
    for (let i = 0; i + 1 < reply.headers.length; i += 2) {
      headers.append(reply.headers[i], reply.headers[i + 1]);
    }
    if (close) headers.set("Connection", "close");
    this.#answer(new Response(reply.body, { status: reply.status, headers }));
    this.resume();
    if (body === "unread" && this.#ingest === null) void this.#request.body?.cancel().catch(ignore);
  }

  async #read(): Promise<void> {
    const reader = this.#request.body?.getReader();
    let unread = 0;
    try {
      for (;;) {
        if (this.#paused) await new Promise<void>((resolve) => this.#resume = resolve);
        const chunk = await reader?.read();
        if (chunk === undefined || chunk.done) break;
        if (this.#answered) {
          unread += chunk.value.length;
          if (unread > READ_OFF_BYTES) return void await reader?.cancel();
        } else {
          this.#ingest!.onData(chunk.value);
        }
      }
      this.#ingest!.onEnd();
    } catch {
      // The client is gone in the middle of its body: what it had begun is given back.
      this.#ingest!.onGone();
    }
  }
}

/** A body that is cancelled twice, or after its end, reports that; nothing depends on it. */
function ignore(): void {}
