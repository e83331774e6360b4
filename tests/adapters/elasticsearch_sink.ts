/** An open `elasticsearch` sink for one test. @module */
import { type ElasticsearchOptions, elasticsearchSink } from "../../adapters/elasticsearch.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { type Logger, silentLogger } from "../../src/core/log.ts";
import type { SinkAdapter, WriteResult } from "../../src/sink/adapter.ts";
import { StatusCounts } from "../../src/sink/status_counts.ts";
import { HeapBatch, type HeapBatchOptions, type HeapRecord } from "../support/heap_batch.ts";

/** A write that hangs fails its test, not the run. */
const WRITE_DEADLINE_MS = 60_000;

/** What a sink is opened with beside its options. */
export interface OpenOptions {
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** A sink that closes with its test. */
export class OpenSink implements AsyncDisposable {
  /** The adapter. */
  readonly adapter: SinkAdapter;
  /** What it counted. */
  readonly answers: StatusCounts;

  private constructor(adapter: SinkAdapter, answers: StatusCounts) {
    this.adapter = adapter;
    this.answers = answers;
  }

  /** Opens one with `options` as a config has them. */
  static async open(
    options: Partial<ElasticsearchOptions>,
    { clock = systemClock, log = silentLogger }: OpenOptions = {},
  ): Promise<OpenSink> {
    const config = elasticsearchSink.config.parse(options);
    const answers = new StatusCounts();
    const context = {
      gateway: "test",
      sink: "search",
      writer: 0,
      writers: 1,
      dataDir: ".",
      clock,
      log,
      answers,
    };
    return new OpenSink(await elasticsearchSink.open(config, context), answers);
  }

  /** Writes one batch. */
  async write(
    records: readonly (HeapRecord | string)[],
    options: HeapBatchOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<WriteResult> {
    const signal = options.signal ?? AbortSignal.timeout(WRITE_DEADLINE_MS);
    return await this.adapter.write(new HeapBatch(records, options), signal);
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
