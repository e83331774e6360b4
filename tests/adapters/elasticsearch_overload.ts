/** A node that refuses for load, for real, and the proof that each document is stored once all the same. @module */
import { assert } from "@std/assert";
import { startOpenSearch } from "../services/opensearch.ts";
import type { SearchNode } from "../services/search_node.ts";
import type { RawConfig } from "../support/gateway_process.ts";
import { assertNumbers, NUMBERED, postNumbers, startGateway } from "./elasticsearch_gateway.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

/** With eight senders more than the memory that the second node below allows. */
const DOCUMENTS_PER_BODY = 1000;

/** How a node is made to refuse, and the number in its statistics that says it did. */
export interface Refusal {
  /** For people. */
  readonly cause: string;
  /** Settings of the node. */
  readonly settings: Readonly<Record<string, string>>;
  /** Path of the statistics. */
  readonly statistics: string;
  /** Documents in a bulk. */
  readonly maxRecords: number;
}

/** Single documents refused inside a 200, and whole requests refused with 429. */
export const REFUSALS: readonly Refusal[] = [
  {
    cause: "a full write queue",
    settings: { "thread_pool.write.size": "1", "thread_pool.write.queue_size": "1" },
    statistics: "/_nodes/stats/thread_pool?filter_path=nodes.*.thread_pool.write.rejected",
    maxRecords: 250,
  },
  {
    cause: "its limit of indexing memory",
    settings: { "indexing_pressure.memory.limit": "1mb", "thread_pool.write.size": "1" },
    statistics:
      "/_nodes/stats/indexing_pressure?filter_path=nodes.*.indexing_pressure.memory.total.*rejections",
    maxRecords: 1000,
  },
];

/** Every kind of controller, set so that it meets refusals. */
export const CONTROLS: readonly (RawConfig & { readonly kind: string })[] = [
  { kind: "static", initial: 8 },
  { kind: "aimd", initial: 8 },
  { kind: "arc", initial: 8 },
  { kind: "gradient", initial: 8 },
  { kind: "pid", initial: 8 },
  { kind: "watermark", initial: 8 },
];

/** A node that refuses. */
export class Overload implements AsyncDisposable {
  readonly #node: SearchNode;
  readonly #refusal: Refusal;

  private constructor(node: SearchNode, refusal: Refusal) {
    this.#node = node;
    this.#refusal = refusal;
  }

  /** Starts it. */
  static async start(refusal: Refusal): Promise<Overload> {
    return new Overload(await startOpenSearch({ settings: refusal.settings }), refusal);
  }

  /** Sends `documents` from eight senders through a gateway with `control`; rejects when one is missing or there twice, or none was refused. */
  async send(control: RawConfig, documents: number): Promise<void> {
    const before = await this.#refused();
    await using index = await SearchIndex.create(this.#node.url, NUMBERED);
    await using gateway = await startGateway(index, {
      control,
      batch: { maxRecords: this.#refusal.maxRecords },
    });
    await postNumbers(gateway, 0, documents, DOCUMENTS_PER_BODY);
    await assertNumbers(index, documents);
    assert(await this.#refused() > before, `the node refused for ${this.#refusal.cause}`);
  }

  async #refused(): Promise<number> {
    const told = JSON.stringify(await askCluster(this.#node.url, "GET", this.#refusal.statistics));
    let sum = 0;
    for (const [, count] of told.matchAll(/reject\w*":(\d+)/g)) sum += Number(count);
    return sum;
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]();
  }
}
