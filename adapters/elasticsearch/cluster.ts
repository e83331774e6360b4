/**
 * The nodes of a cluster over keep-alive connections. A node that gives no answer is passed over for the next one
 * within the same write: ids make it harmless when both take it.
 *
 * @module
 */
import type { Agent } from "node:http";
import type { Clock } from "../../src/core/clock.ts";
import { byteLength, compressBody } from "../http/body.ts";
import { type Answer, type Endpoint, exchange, keepAliveAgent } from "../http/exchange.ts";
import { NodeTurns } from "./nodes.ts";
import type { Auth, ElasticsearchOptions } from "./options.ts";

/** Only what outcomes need: answers are a fifth as long, and cost the cluster and the sink as much less. */
const FILTER_PATH = "errors,items.*.status,items.*.error.type,items.*.error.reason,error,status";
/** Of an answer that says nothing of items, and of a page that a proxy gives in its place. */
const MAX_PLAIN_ANSWER_BYTES = 1_048_576;
/** A refusal with a reason of some KiB, for each item ... */
const MAX_ITEM_ANSWER_BYTES = 4096;
/** ... that may quote its document, escaped. */
const MAX_QUOTES = 2;
/** Statuses of a proxy or a node that has no cluster behind it. */
const OUT_OF_ORDER: readonly number[] = [502, 503, 504];

interface ClusterNode {
  readonly url: URL;
  readonly plain: Endpoint;
  readonly gzip: Endpoint;
  readonly agent: Agent;
}

/** Where bulks are sent. */
export class Cluster {
  readonly #nodes: readonly ClusterNode[];
  readonly #turns: NodeTurns;
  readonly #clock: Clock;
  readonly #gzipAboveBytes: number;

  /** @param ca PEM of the authorities to trust */
  constructor(options: ElasticsearchOptions, ca: string | undefined, clock: Clock) {
    this.#nodes = options.nodes.map((address) => nodeOf(address, options, ca));
    this.#turns = new NodeTurns(this.#nodes.length);
    this.#clock = clock;
    this.#gzipAboveBytes = options.gzipAboveBytes ?? Infinity;
  }

  /** Sends `body`, a bulk of `count` items, to one node after the other until one answers; rejects with what the last one did. */
  async ask(body: readonly Uint8Array[], count: number, signal: AbortSignal): Promise<Answer> {
    const bytes = byteLength(body);
    // Many writes may wait for answers at once: what one may take is what a cluster has to say of it.
    const maxAnswerBytes = MAX_PLAIN_ANSWER_BYTES + count * MAX_ITEM_ANSWER_BYTES + MAX_QUOTES * bytes;
    const isGzip = bytes >= this.#gzipAboveBytes;
    const sent = isGzip ? await compressBody(body) : body;
    const tried = new Set<number>();
    for (;;) {
      const at = this.#turns.take(this.#clock.nowMs(), tried);
      tried.add(at);
      const { plain, gzip, url } = this.#nodes[at];
      try {
        const answer = await exchange({ ...isGzip ? gzip : plain, maxAnswerBytes }, sent, signal);
        if (OUT_OF_ORDER.includes(answer.status)) this.#turns.failed(at, this.#clock.nowMs());
        else this.#turns.answered(at);
        return answer;
      } catch (error) {
        this.#turns.failed(at, this.#clock.nowMs());
        if (signal.aborted || tried.size === this.#nodes.length) {
          throw new Error(`no answer from ${url.host}`, { cause: error });
        }
      }
    }
  }

  /** Lets go of all connections. */
  close(): void {
    for (const { agent } of this.#nodes) agent.destroy();
  }
}

function nodeOf(address: string, options: ElasticsearchOptions, ca: string | undefined): ClusterNode {
  const url = new URL(address);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/_bulk`;
  url.searchParams.set("filter_path", FILTER_PATH);
  if (options.pipeline !== undefined) url.searchParams.set("pipeline", options.pipeline);
  const agent = keepAliveAgent(url, ca);
  const headers = { "content-type": "application/x-ndjson", ...authHeaders(options.auth) };
  const plain = { url, method: "POST", headers, agent, maxAnswerBytes: MAX_PLAIN_ANSWER_BYTES };
  return { url, plain, gzip: { ...plain, headers: { ...headers, "content-encoding": "gzip" } }, agent };
}

function authHeaders(auth: Auth | undefined): Record<string, string> {
  if (auth === undefined) return {};
  if ("apiKey" in auth) return { authorization: `ApiKey ${auth.apiKey}` };
  if ("bearerToken" in auth) return { authorization: `Bearer ${auth.bearerToken}` };
  const credentials = new TextEncoder().encode(`${auth.username}:${auth.password}`);
  return { authorization: `Basic ${credentials.toBase64()}` };
}
