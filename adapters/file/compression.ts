/**
 * Compresses rotated files beside the writes, one at a time. The folder itself is the queue: what stands there rotated
 * and not compressed is to be done, so a restart takes up what a crash or a stop left.
 *
 * The original goes last, after the compressed bytes and their name are on the disk: at no moment is there neither.
 *
 * @module
 */
import { createReadStream, createWriteStream } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Logger } from "../../src/core/log.ts";
import { abortable, reasonOf } from "../../src/sink/serial.ts";
import { syncFolder } from "./append_file.ts";
import { exists, GZIP_ENDING, GZIP_PARTIAL_ENDING, listRotated } from "./rotation.ts";

/** Compresses the rotated files of one log. */
export class Compression {
  readonly #path: string;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #working: Promise<void> | null = null;
  #again = false;
  #closing = false;

  /** `path` is the log's own. */
  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * Compresses the rotated files that there are, one after the other. Resolves when none is left, or when one failed:
   * that is told, and the file kept.
   */
  start(): Promise<void> {
    if (this.#closing) return Promise.resolve();
    this.#again = true;
    return this.#working ??= this.#work().finally(() => this.#working = null);
  }

  /** Lets the file in hand be finished until `signal` is aborted; the rest waits for the next start. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closing = true;
    const working = this.#working;
    if (working === null) return;
    try {
      await abortable(working, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      this.#stop.abort(error);
      await working;
    }
  }

  async #work(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        const { plain, partial } = await listRotated(this.#path);
        for (const name of partial) await Deno.remove(join(dirname(this.#path), name));
        for (const name of plain) {
          if (this.#closing) return;
          await this.#compress(join(dirname(this.#path), name));
        }
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#log.warn("cannot compress rotated files, the next rotation tries again", {
        reason: reasonOf(error),
      });
    }
  }

  async #compress(original: string): Promise<void> {
    const compressed = original + GZIP_ENDING;
    const partial = original + GZIP_PARTIAL_ENDING;
    if (!await exists(compressed)) {
      try {
        await this.#write(original, partial);
        await Deno.rename(partial, compressed);
      } catch (error) {
        // On a full disk it would keep the room that the records need.
        if (await exists(partial)) await Deno.remove(partial);
        throw error;
      }
      await syncFolder(dirname(original));
    }
    await Deno.remove(original);
  }

  async #write(original: string, partial: string): Promise<void> {
    const steps = [createReadStream(original), createGzip(), createWriteStream(partial)] as const;
    await pipeline(...steps, { signal: this.#stop.signal });
    using handle = await Deno.open(partial, { read: true, write: true });
    await handle.sync();
  }
}
