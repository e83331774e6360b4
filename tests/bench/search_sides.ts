/**
 * The sides of comparisons before a search cluster: the gateway, and loaders that have their documents at hand. Each is
 * measured from its first document to the answer for its last, as bulks are long and slices short.
 *
 * @module
 */
import { GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import { jsonLines } from "./bodies.ts";
import type { Side, Slice } from "./compare.ts";
import { WrkLoad } from "./wrk.ts";
import { BULK_DOCUMENTS, BULKS_IN_FLIGHT, DOCUMENT_BYTES } from "./yardsticks/bulk_load.ts";

/** Twice the bulks in flight, so that the next one is always there. */
const CONNECTIONS = 2 * BULKS_IN_FLIGHT;
/** A bulk with its action lines. */
const BULK_BYTES = BULK_DOCUMENTS * (DOCUMENT_BYTES + 200);
const DRAIN_DEADLINE_MS = 30_000;

/** What `/api/v1/topology` tells of a sink. */
interface SinkState {
  readonly deliveredRecords: number;
  readonly lastSuccessAtMs: number | null;
}

/** The gateway with a sink for `index` of `cluster`, fed by wrk with bodies of NDJSON. */
export class GatewaySearchSide implements Side {
  readonly #gateway: GatewayProcess;
  readonly #load: WrkLoad;

  private constructor(gateway: GatewayProcess, load: WrkLoad) {
    this.#gateway = gateway;
    this.#load = load;
  }

  /** Starts it; `sink` are further options of the sink. */
  static async start(cluster: string, index: string, sink: RawConfig = {}): Promise<GatewaySearchSide> {
    const gateway = await GatewayProcess.start({
      streams: { docs: { sinks: ["search"] } },
      sinks: {
        search: {
          type: "elasticsearch",
          nodes: [cluster],
          index,
          order: "none",
          batch: { maxRecords: BULK_DOCUMENTS, maxBytes: BULK_BYTES },
          control: { kind: "static", initial: BULKS_IN_FLIGHT },
          ...sink,
        },
      },
    });
    const body = jsonLines(BULK_DOCUMENTS, DOCUMENT_BYTES);
    const request = { path: "/v1/streams/docs", contentType: "application/x-ndjson", body };
    return new GatewaySearchSide(
      gateway,
      await WrkLoad.create({ requests: [request], connections: CONNECTIONS }),
    );
  }

  async measure(seconds: number): Promise<Slice> {
    const before = (await this.#sink()).deliveredRecords;
    const cpuBefore = this.#gateway.program.usage().cpuSeconds;
    const startMs = Date.now();
    const { answers, refusals } = await this.#load.run(this.#gateway.url, seconds);
    if (refusals > 0) {
      throw new Error(this.#gateway.program.describe(`${refusals} of ${answers} were refused`));
    }
    await this.#gateway.program.waitUntil(() => this.#isDrained(), DRAIN_DEADLINE_MS, "all was delivered");
    const { deliveredRecords, lastSuccessAtMs } = await this.#sink();
    return {
      work: deliveredRecords - before,
      seconds: (lastSuccessAtMs! - startMs) / 1000,
      cpuSeconds: this.#gateway.program.usage().cpuSeconds - cpuBefore,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
    await this.#gateway[Symbol.asyncDispose]();
  }

  async #sink(): Promise<SinkState> {
    const { sinks } = await this.#gateway.admin("/api/v1/topology") as { sinks: SinkState[] };
    return sinks[0];
  }

  async #isDrained(): Promise<boolean> {
    const { rows } = await this.#gateway.admin("/api/v1/ledger") as { rows: { inFlight: number }[] };
    return rows.every(({ inFlight }) => inFlight === 0);
  }
}
