/**
 * Writes records to standard output, one per line: for pipes, containers and a first look. The reader's pace is the
 * sink's pace: a write is acked when the pipe has taken it. Log lines go to standard error, so nothing else stands
 * between the records.
 *
 * @module
 */
import { z } from "zod";
import {
  type Batch,
  defineSink,
  type SinkAdapter,
  type SinkDefinition,
  type WriteResult,
} from "../src/sink/adapter.ts";
import { encodedBytesOf, encodedValueBytes } from "../src/sink/encoded_bytes.ts";
import { GatherBuffer } from "../src/sink/gather_buffer.ts";
import { frameLines } from "../src/sink/lines.ts";
import { abortable, reasonOf, Serial } from "../src/sink/serial.ts";
import { Verdict } from "../src/sink/verdict.ts";

const LINE_END_BYTES = 1;

/** Where the lines go; takes some of `bytes` and tells how many. */
export interface Output {
  /** Resolves to the number of bytes taken, at least 1. */
  write(bytes: Uint8Array): Promise<number>;
}

/** `stdout` has no options. */
export type StdoutOptions = Record<string, never>;

const LF = 0x0a;

/** Lines to one output, shared by all sinks that write there, so that no line stands inside another's. */
class LineOutput {
  readonly #output: Output;
  readonly #serial = new Serial();
  readonly #gathered = new GatherBuffer();
  #lineIsOpen = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Writes the lines of `batch`; an output cannot take back what it has, so a retry may write some of them again. */
  write(batch: Batch, verdict: Verdict, signal: AbortSignal): Promise<void> {
    return abortable(this.#serial.run(() => this.#write(batch, verdict, signal)), signal);
  }

  async #write(batch: Batch, verdict: Verdict, signal: AbortSignal): Promise<void> {
    // A write that was given up while it waited must not look at its batch: the segments belong to others by now.
    signal.throwIfAborted();
    this.#gathered.restart(batch.bytes + batch.count + 1);
    // Half a line of a write that failed would otherwise stick to the first line of this one.
    if (this.#lineIsOpen) this.#gathered.appendByte(LF);
    frameLines(batch, verdict, (bytes) => this.#gathered.append(bytes));
    const bytes = this.#gathered.view();
    for (let at = 0; at < bytes.length;) {
      at += await this.#output.write(bytes.subarray(at));
      this.#lineIsOpen = bytes[at - 1] !== LF;
      if (at < bytes.length) signal.throwIfAborted();
    }
  }
}

class StdoutSink implements SinkAdapter {
  readonly #lines: LineOutput;

  constructor(lines: LineOutput) {
    this.#lines = lines;
  }

  async write(batch: Batch, signal: AbortSignal): Promise<WriteResult> {
    const verdict = new Verdict(batch);
    try {
      await this.#lines.write(batch, verdict, signal);
      return verdict.acked();
    } catch (error) {
      return verdict.retryable(`cannot write to standard output: ${reasonOf(error)}`);
    }
  }

  encodedBytes(batch: Batch): number {
    return encodedBytesOf(batch, encodedValueBytes) + batch.count * LINE_END_BYTES;
  }

  check(): void {}

  /** Standard output is the process's, not the sink's: it stays open. */
  close(): void {}
}

/** The kind `stdout`, writing to `output`. */
export function createStdoutSink(output: Output = Deno.stdout): SinkDefinition<StdoutOptions> {
  const lines = new LineOutput(output);
  return defineSink<StdoutOptions>({
    type: "stdout",
    config: z.strictObject({}),
    hints: () => ({
      maxRecords: 10_000,
      maxBytes: 1_048_576,
      lingerMs: 0,
      framingBytes: LINE_END_BYTES,
      writesInFlight: 1,
    }),
    open: () => new StdoutSink(lines),
  });
}

/** Writes to standard output. */
export const stdoutSink: SinkDefinition<StdoutOptions> = createStdoutSink();
