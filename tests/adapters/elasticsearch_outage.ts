/** A node that is hurt while documents are written to it, and the proof that each of them is stored once. @module */
import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import { startOpenSearch } from "../services/opensearch.ts";
import type { SearchNode } from "../services/search_node.ts";
import type { GatewayProcess } from "../support/gateway_process.ts";
import { assertNumbers, NUMBERED, postNumbers, startGateway } from "./elasticsearch_gateway.ts";
import { SearchIndex } from "./search_index.ts";

/** Posted at a time, again and again until the harm is over: load for a fixed time may be over before the harm is done. */
const DOCUMENTS = 4_000;
/** So many are stored before the node is hurt. */
const STORED_BEFORE = 500;
const TIMEOUT_MS = 1_500;

/** A node and a gateway before it. */
export class Outage implements AsyncDisposable {
  readonly #node: SearchNode;
  readonly #index: SearchIndex;
  readonly #gateway: GatewayProcess;
  #posted = 0;

  private constructor(node: SearchNode, index: SearchIndex, gateway: GatewayProcess) {
    this.#node = node;
    this.#index = index;
    this.#gateway = gateway;
  }

  /** Starts both. */
  static async start(): Promise<Outage> {
    const node = await startOpenSearch();
    try {
      const index = await SearchIndex.create(node.url, NUMBERED);
      // Small batches and a limit, so that there are writes in flight until long after the node is hurt.
      const gateway = await startGateway(index, {
        timeoutMs: TIMEOUT_MS,
        batch: { maxRecords: 50 },
        limit: { recordsPerSecond: 2000, burstRecords: 50 },
      });
      return new Outage(node, index, gateway);
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Kills the node with writes in flight, starts it again on its data `downMs` later, and looks for every document. */
  async killAndBringBack(downMs: number): Promise<void> {
    await this.#hurt(async () => {
      await this.#node.kill();
      // An outage is as long as the machine's clock says: the node has no other.
      await delay(downMs);
      await this.#node.restart();
    });
  }

  /** Stops the node with writes in flight for longer than the sink waits, lets it go on, and looks for every document. */
  async standStill(): Promise<void> {
    await this.#hurt(async () => {
      this.#node.signal("SIGSTOP");
      await delay(2 * TIMEOUT_MS);
      this.#node.signal("SIGCONT");
    });
  }

  async #hurt(harm: () => Promise<void>): Promise<void> {
    const retriedBefore = await this.#retried();
    const storedBefore = this.#posted + STORED_BEFORE;
    const over = new AbortController();
    const posting = this.#post(over.signal);
    while (await this.#index.count() < storedBefore) await delay(20);
    await harm();
    over.abort();
    await posting;
    await assertNumbers(this.#index, this.#posted);
    assert(await this.#retried() > retriedBefore, "writes were in flight when the node was hurt");
  }

  async #post(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const from = this.#posted;
      this.#posted += DOCUMENTS;
      await postNumbers(this.#gateway, from, this.#posted);
    }
  }

  async #retried(): Promise<number> {
    return await this.#gateway.metric("weir_sink_retried_records_total");
  }

  /** Ends both. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway[Symbol.asyncDispose]();
    await this.#node[Symbol.asyncDispose]();
  }
}
