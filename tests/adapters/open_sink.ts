/** A sink that is opened for one test, as a lane opens it. @module */
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import type { SinkAdapter, SinkContext, SinkDefinition, WriteResult } from "../../src/sink/adapter.ts";
import { StatusCounts } from "../../src/sink/status_counts.ts";
import { HeapBatch, type HeapBatchOptions, type HeapRecord } from "../support/heap_batch.ts";

/** A write that hangs fails its test, not the run. */
const WRITE_DEADLINE_MS = 60_000;

/** What a test says of it beside the options. */
export type OwnContext = Partial<Omit<SinkContext, "answers">>;

/** What a sink is opened with: the one writer of a gateway `test`, in real time, without a log. */
export function sinkContext(own: Partial<SinkContext> = {}): SinkContext {
  return {
    gateway: "test",
    sink: "s",
    writer: 0,
    writers: 1,
    dataDir: ".",
    clock: systemClock,
    log: silentLogger,
    answers: new StatusCounts(),
    ...own,
  };
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
  static async open<Options>(
    definition: SinkDefinition<Options>,
    options: Readonly<Record<string, unknown>>,
    own: OwnContext = {},
  ): Promise<OpenSink> {
    const answers = new StatusCounts();
    const context = sinkContext({ ...own, answers });
    return new OpenSink(await definition.open(definition.config.parse(options), context), answers);
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
