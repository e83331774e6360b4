/** A folder with the log of a `file` sink, for its tests. @module */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { type FileOptions, fileSink } from "../../adapters/file.ts";
import { Outcome, type SinkAdapter, type SinkContext, type WriteResult } from "../../src/sink/adapter.ts";
import { HeapBatch } from "../support/heap_batch.ts";
import { LogLines } from "../support/log_lines.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { outcomesOf } from "../support/written.ts";
import { sinkContext } from "./open_sink.ts";

/** For what is never given up. */
export const NEVER = new AbortController().signal;

/** A folder with a log, which is opened again and again. */
export class LogPlace {
  /** Removed with the place. */
  readonly folder = Deno.makeTempDirSync({ prefix: "weir-file-" });
  /** The log. */
  readonly path = join(this.folder, "events.ndjson");
  /** What the sink logs. */
  readonly log = new LogLines();
  /** The sink's time. */
  readonly clock = new ManualClock();

  /** Options of the sink. */
  options(more: Partial<FileOptions> = {}): FileOptions {
    return fileSink.config.parse({ path: this.path, ...more });
  }

  /** What it is opened with. */
  context(more: Partial<SinkContext> = {}): SinkContext {
    const { clock, log, folder: dataDir } = this;
    return sinkContext({ sink: "archive", dataDir, clock, log, ...more });
  }

  /** Opens it. */
  async open(more: Partial<FileOptions> = {}, context: Partial<SinkContext> = {}): Promise<SinkAdapter> {
    return await fileSink.open(this.options(more), this.context(context));
  }

  /** Text of the log, or of another file. */
  text(path = this.path): string {
    return Deno.readTextFileSync(path);
  }

  /** Names of the files in the folder. */
  names(): string[] {
    return Array.from(Deno.readDirSync(this.folder), ({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Writes `values` as one batch. */
export function write(sink: SinkAdapter, ...values: string[]): Promise<WriteResult> {
  return Promise.resolve(sink.write(new HeapBatch(values), NEVER));
}

/** Writes `values` as one batch, all of which is acked. */
export async function writeAcked(sink: SinkAdapter, ...values: string[]): Promise<void> {
  assertEquals(outcomesOf(await write(sink, ...values)), values.map(() => Outcome.ACKED));
}
