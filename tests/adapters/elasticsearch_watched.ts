/**
 * A gateway in the process of the test, before a real node, with a note of every write that its `elasticsearch` sink
 * starts: only the gateway itself knows when that was.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { elasticsearchSink } from "../../adapters/elasticsearch.ts";
import { createGateway, type WeirGateway } from "../../mod.ts";
import type { SinkDefinition } from "../../src/sink/adapter.ts";
import type { RawConfig } from "../support/gateway_process.ts";
import type { SearchIndex } from "./search_index.ts";

const DOCUMENTS_PER_BODY = 100;
/** Enough that the sink's limit, not the senders, holds a stream back. */
const SENDERS = 8;

/** The start of a write. */
export interface WriteStart {
  /** Clock time, ms. */
  readonly atMs: number;
  readonly stream: string;
  readonly records: number;
}

/** The gateway. */
export class WatchedGateway implements AsyncDisposable {
  /** In the order in which they were made. */
  readonly starts: readonly WriteStart[];
  readonly #gateway: WeirGateway;
  readonly #folder: string;

  private constructor(gateway: WeirGateway, starts: readonly WriteStart[], folder: string) {
    this.#gateway = gateway;
    this.starts = starts;
    this.#folder = folder;
  }

  /** Starts one whose `streams` all go to `index` by one sink; `sink` are further options of that. */
  static async start(
    index: SearchIndex,
    streams: readonly string[],
    sink: RawConfig,
  ): Promise<WatchedGateway> {
    const starts: WriteStart[] = [];
    const folder = await Deno.makeTempDir({ prefix: "weir_watched_" });
    const gateway = await createGateway({
      gateway: { dataDir: folder },
      listen: { port: 0 },
      admin: { port: 0 },
      streams: Object.fromEntries(streams.map((name) => [name, { sinks: ["search"] }])),
      sinks: {
        search: {
          type: "elasticsearch",
          nodes: [index.url],
          index: index.name,
          order: "none",
          ...sink,
        },
      },
    }, { sinks: [watched(starts)] });
    await gateway.start();
    return new WatchedGateway(gateway, starts, folder);
  }

  /** Posts small documents `{"s": stream}` as fast as they are taken, while `goesOn()`; returns how many were stored. */
  async post(stream: string, goesOn: () => boolean): Promise<number> {
    const url = `http://127.0.0.1:${this.#gateway.port}/v1/streams/${stream}`;
    const body = `{"s":"${stream}"}\n`.repeat(DOCUMENTS_PER_BODY);
    let stored = 0;
    await Promise.all(Array.from({ length: SENDERS }, async () => {
      while (goesOn()) {
        const response = await fetch(url, { method: "POST", body });
        const text = await response.text();
        assertEquals(response.status, 200, text);
        stored += DOCUMENTS_PER_BODY;
      }
    }));
    return stored;
  }

  /** Delivers what was taken, and stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Sum of the records of `starts`. */
export function recordsOf(starts: readonly WriteStart[]): number {
  return starts.reduce((sum, { records }) => sum + records, 0);
}

function watched(starts: WriteStart[]): SinkDefinition {
  return {
    ...elasticsearchSink,
    async open(options, context) {
      const adapter = await elasticsearchSink.open(options, context);
      return {
        write(batch, signal) {
          starts.push({ atMs: context.clock.nowMs(), stream: batch.stream, records: batch.count });
          return adapter.write(batch, signal);
        },
        check: (signal) => adapter.check(signal),
        close: (signal) => adapter.close(signal),
      };
    },
  };
}
