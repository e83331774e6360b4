/**
 * The file that is appended to: whole batches or nothing of them. Its length up to the last good batch is known; when
 * a write fails (ENOSPC, EIO) or is given up, the file is cut back to it before the next one, so a retry doubles no
 * half lines. A failed flush is treated alike: Linux marks the pages clean all the same, and only writing them anew
 * brings them to the disk.
 *
 * @module
 */
import { dirname } from "node:path";
import { assert } from "../../src/core/assert.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { Logger } from "../../src/core/log.ts";
import { type AppendFile, identityAt, type OpenAppendFile, syncFolder } from "./append_file.ts";
import type { Framing } from "./framing.ts";
import { wholeBytes } from "./repair.ts";
import { rotatedPath } from "./rotation.ts";

/** How often the path is looked up: whoever moves or deletes the file (logrotate) gets a new one after that. */
const LOOK_MS = 1000;

/** What a log is made of. */
export interface LogFileOptions {
  /** Where; the folder exists. */
  readonly path: string;
  /** How the end of the last whole record is found. */
  readonly framing: Framing;
  /** Whether what was appended is on the disk. */
  readonly fsync: boolean;
  /** Opens files. */
  readonly open: OpenAppendFile;
  /** Time. */
  readonly clock: Clock;
  /** Where repairs are told. */
  readonly log: Logger;
}

/** A log. One call at a time, but for `flush`, which may run beside the others. */
export class LogFile {
  readonly #options: LogFileOptions;
  #file: AppendFile | null = null;
  #dev = 0;
  #ino = 0;
  #size = 0;
  /** Bytes of whole batches that are on the disk, flushed. */
  #durableSize = 0;
  /** Failed flushes: what was appended before one of them is gone, whatever a later flush says. */
  #losses = 0;
  #flushing: Promise<void> | null = null;
  #nextFlush: Promise<void> | null = null;
  #bornMs = 0;
  #torn = false;
  #lookMs = 0;

  /** Opens nothing yet. */
  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  /** Bytes of whole batches. */
  get size(): number {
    return this.#size;
  }

  /** How long ago the file got its first byte; 0 while it has none. */
  get ageMs(): number {
    return this.#size === 0 ? 0 : Math.max(0, this.#options.clock.wallMs() - this.#bornMs);
  }

  /** Makes the file ready for a batch: open, at the path, and without half a batch at its end. */
  async ready(): Promise<void> {
    if (this.#file !== null && this.#torn) await this.#rollBack(this.#file);
    if (this.#file !== null && this.#options.clock.nowMs() >= this.#lookMs) await this.#look();
    if (this.#file === null) await this.#open();
  }

  /**
   * Appends one encoded batch; what it returns is for `flush`. When it rejects, or `signal` was aborted meanwhile, the
   * file is as if it had not been called.
   */
  async append(bytes: Uint8Array, signal: AbortSignal): Promise<number> {
    const file = this.#opened();
    const losses = this.#losses;
    this.#torn = true;
    await file.append(bytes);
    signal.throwIfAborted();
    this.#mustBeWhole(losses);
    if (this.#size === 0) this.#bornMs = this.#options.clock.wallMs();
    this.#size += bytes.length;
    this.#torn = false;
    return losses;
  }

  /**
   * Resolves when the batch whose `append` returned `losses` is on the disk. Calls that come while one flush runs share
   * the next one, which so covers several batches. When it rejects, those batches are cut off by the next `ready`.
   */
  async flush(losses: number): Promise<void> {
    if (!this.#options.fsync) return;
    // A flush may have failed since the append: then the batch is lost, whatever the next one says.
    this.#mustBeWhole(losses);
    if (this.#flushing === null) await (this.#flushing = this.#flushNow());
    else await (this.#nextFlush ??= this.#flushAfter(this.#flushing));
    this.#mustBeWhole(losses);
  }

  #mustBeWhole(losses: number): void {
    if (this.#losses !== losses) throw new Error("the flush of a batch before it failed");
  }

  async #flushAfter(flushing: Promise<void>): Promise<void> {
    await flushing.catch(ignore);
    this.#nextFlush = null;
    await (this.#flushing = this.#flushNow());
  }

  async #flushNow(): Promise<void> {
    const size = this.#size;
    try {
      await this.#opened().sync();
      this.#durableSize = Math.max(this.#durableSize, size);
    } catch (error) {
      this.#losses++;
      this.#size = this.#durableSize;
      this.#torn = true;
      throw error;
    } finally {
      this.#flushing = null;
    }
  }

  /** Gives the file another name, which it returns; `ready` opens a new one. */
  async rotate(): Promise<string> {
    const { path, clock } = this.#options;
    await this.#opened().sync();
    await this.close();
    const rotated = await rotatedPath(path, clock.wallMs());
    await Deno.rename(path, rotated);
    await syncFolder(dirname(path));
    return rotated;
  }

  /** Lets go of the file. Harmless when nothing is open. */
  async close(): Promise<void> {
    await (this.#nextFlush ?? this.#flushing)?.catch(ignore);
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  #opened(): AppendFile {
    assert(this.#file !== null, "a log is made ready before it is used");
    return this.#file;
  }

  /** Cuts off what a failed append left. Someone else may have cut more (logrotate's copytruncate). */
  async #rollBack(file: AppendFile): Promise<void> {
    const { size } = await file.identity();
    if (size > this.#size) await file.truncate(this.#size);
    else this.#size = this.#durableSize = size;
    this.#torn = false;
  }

  /** A file that was moved away is let go; one that was cut has a new length. */
  async #look(): Promise<void> {
    const there = await identityAt(this.#options.path);
    if (there === null || there.dev !== this.#dev || there.ino !== this.#ino) await this.close();
    else if (there.size < this.#size) this.#size = this.#durableSize = there.size;
    this.#lookMs = this.#options.clock.nowMs() + LOOK_MS;
  }

  async #open(): Promise<void> {
    const { path, framing, open, clock, log } = this.#options;
    const before = await identityAt(path);
    const whole = before === null ? 0 : await wholeBytes(path, framing);
    const file = await open(path);
    try {
      if (before === null) await syncFolder(dirname(path));
      else if (whole < before.size) {
        await file.truncate(whole);
        await file.sync();
        const removedBytes = before.size - whole;
        log.warn("cut off a torn record at the end of the file; it was never acked", { path, removedBytes });
      }
      const { dev, ino, bornMs } = await file.identity();
      this.#dev = dev;
      this.#ino = ino;
      this.#bornMs = bornMs;
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#size = whole;
    this.#durableSize = whole;
    this.#torn = false;
    this.#lookMs = clock.nowMs() + LOOK_MS;
    this.#file = file;
  }
}

/** Whoever asked for that flush is told; here only its end matters. */
function ignore(): void {}
