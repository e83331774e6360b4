/** An open `kafka` sink for one test. @module */
import { StatusCounts } from "../../src/sink/status_counts.ts";
import { kafkaSink } from "../../adapters/kafka.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { type Logger, silentLogger } from "../../src/core/log.ts";
import type { SinkAdapter, WriteResult } from "../../src/sink/adapter.ts";
import { HeapBatch, type HeapRecord } from "../support/heap_batch.ts";

/** A write that hangs fails its test, not the run. */
const WRITE_DEADLINE_MS = 60_000;

/** A sink that closes with its test. */
export class OpenSink implements AsyncDisposable {
  /** The adapter. */
  readonly adapter: SinkAdapter;

  private constructor(adapter: SinkAdapter) {
    this.adapter = adapter;
  }

  /** Opens one with `options` as a config has them. */
  static async open(
    options: Readonly<Record<string, unknown>>,
    { clock = systemClock, log = silentLogger }: { readonly clock?: Clock; readonly log?: Logger } = {},
  ): Promise<OpenSink> {
    const config = kafkaSink.config.parse(options);
    const answers = new StatusCounts();
    const context = {
      gateway: "test",
      sink: "kafka",
      writer: 0,
      writers: 1,
      dataDir: ".",
      clock,
      log,
      answers,
    };
    return new OpenSink(await kafkaSink.open(config, context));
  }

  /** Writes one batch. */
  async write(
    records: readonly (HeapRecord | string)[],
    signal: AbortSignal = AbortSignal.timeout(WRITE_DEADLINE_MS),
  ): Promise<WriteResult> {
    return await this.adapter.write(new HeapBatch(records), signal);
  }

  /** As `adapter.check()`. */
  async check(): Promise<void> {
    await this.adapter.check(AbortSignal.timeout(WRITE_DEADLINE_MS));
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.adapter.close(AbortSignal.timeout(WRITE_DEADLINE_MS));
  }
}

/** Why records were not acked, in their order. */
export function reasonsOf(result: WriteResult): string[] {
  return result.kind === "tooLarge"
    ? [result.reason]
    : [...(result.reasons ?? new Map<number, string>()).values()];
}
