/**
 * The few things that a log asks of an open file, as an interface: a full disk and a failing one are then a test's to
 * make.
 *
 * Calls go to the thread pool, so that no flush and no throttled write holds up the event loop: `Deno.FsFile` does
 * that, while the write of `node:fs/promises` runs on the event loop here (with O_DSYNC it was half of a profile).
 *
 * @module
 */
import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Which file a path leads to. */
export interface FileIdentity {
  /** Device. */
  readonly dev: number;
  /** Number of the file on its device. */
  readonly ino: number;
  /** Bytes. */
  readonly size: number;
  /** When it was created, ms since 1970. */
  readonly bornMs: number;
}

/** A file open for appending. One call at a time, but for `sync`, which may run beside `append`. */
export interface AppendFile {
  /** Which file it is. */
  identity(): Promise<FileIdentity>;
  /** Appends all of `bytes`. When it rejects, any part of them may be there. */
  append(bytes: Uint8Array): Promise<void>;
  /** Flushes the bytes, and the size, to the disk. */
  sync(): Promise<void>;
  /** Cuts the file to `size` bytes. */
  truncate(size: number): Promise<void>;
  /** Lets go of it. */
  close(): Promise<void>;
}

/** Opens `path` for appending, and creates it where it is missing. */
export type OpenAppendFile = (path: string) => Promise<AppendFile>;

class DiskFile implements AppendFile {
  readonly #file: Deno.FsFile;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  async identity(): Promise<FileIdentity> {
    const { dev, ino, size, birthtime } = await this.#file.stat();
    return { dev, ino: ino ?? 0, size, bornMs: birthtime?.getTime() ?? 0 };
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#file.write(at === 0 ? bytes : bytes.subarray(at));
  }

  sync(): Promise<void> {
    return this.#file.syncData();
  }

  truncate(size: number): Promise<void> {
    return this.#file.truncate(size);
  }

  close(): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }
}

/** {@linkcode OpenAppendFile} on the machine's own disks. */
export async function openAppendFile(path: string): Promise<AppendFile> {
  return new DiskFile(await Deno.open(path, { append: true, create: true, mode: 0o666 }));
}

/** Which file `path` leads to, or null where there is none. Throws for what is no regular file. */
export async function identityAt(path: string): Promise<FileIdentity | null> {
  let stats: Stats;
  try {
    stats = await stat(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  if (!stats.isFile()) {
    throw new Error(
      `Cannot append to "${path}" as it is no regular file; choose another path, or type stdout`,
    );
  }
  return identityOf(stats);
}

function identityOf({ dev, ino, size, birthtimeMs }: Stats): FileIdentity {
  return { dev, ino, size, bornMs: birthtimeMs };
}

/** Creates `folder` and those above it where they are missing, each flushed into its parent. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    try {
      await makeFolder(dirname(folder));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotCapable)) throw error;
      throw new Error(
        `Cannot create the folder "${folder}": the gateway has the right to write in it, not to create it; ` +
          "create it (mkdir -p), or choose a path under gateway.dataDir",
        { cause: error },
      );
    }
    // Once more and no more: below /proc a folder is not found though its parent is there.
    await Deno.mkdir(folder);
  }
  await syncFolder(dirname(folder));
}

/** Flushes the names in `folder`: a created or renamed file is safe only then. Windows neither needs nor offers it. */
export async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using handle = await Deno.open(folder, { read: true });
  await handle.sync();
}
