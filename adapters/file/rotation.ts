/**
 * Names of rotated files: `events.ndjson` becomes `events.ndjson.20251121T024500Z-0001`, and with gzip that and `.gz`.
 * They sort by time, and tell a rotated file from anything else in the folder.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";

/** Ending of a compressed file. */
export const GZIP_ENDING = ".gz";
/** Ending of a file that is being compressed: worth nothing until it is renamed. */
export const GZIP_PARTIAL_ENDING = ".gz.tmp";

const STAMP = /^\d{8}T\d{6}Z-\d{4,}$/;

/** What a folder holds of the rotated files of one log. Names without folder. */
export interface RotatedFiles {
  /** Rotated, not compressed; oldest first. */
  readonly plain: readonly string[];
  /** Left by a compression that did not end. */
  readonly partial: readonly string[];
}

/** Looks for the rotated files of the log at `path`. */
export async function listRotated(path: string): Promise<RotatedFiles> {
  const prefix = `${basename(path)}.`;
  const plain: string[] = [];
  const partial: string[] = [];
  for await (const { name, isFile } of Deno.readDir(dirname(path))) {
    if (!isFile || !name.startsWith(prefix)) continue;
    const rest = name.slice(prefix.length);
    if (STAMP.test(rest)) plain.push(name);
    else if (rest.endsWith(GZIP_PARTIAL_ENDING) && STAMP.test(rest.slice(0, -GZIP_PARTIAL_ENDING.length))) {
      partial.push(name);
    }
  }
  return { plain: plain.sort(), partial };
}

/** A name for the log at `path`, rotated at `wallMs`, that no file has. Only this process names files after `path`. */
export async function rotatedPath(path: string, wallMs: number): Promise<string> {
  const stamp = new Date(wallMs).toISOString().replace(/\.\d+/, "").replace(/[-:]/g, "");
  for (let counter = 1;; counter++) {
    const candidate = `${path}.${stamp}-${String(counter).padStart(4, "0")}`;
    if (!await exists(candidate) && !await exists(candidate + GZIP_ENDING)) return candidate;
  }
}

/** The file of writer `writer`: each has its own, as lines of two writers in one file would be torn: `events-1.ndjson`. */
export function writerPath(path: string, writer: number): string {
  if (writer === 0) return path;
  const name = basename(path);
  const dot = name.lastIndexOf(".");
  const cut = dot > 0 ? dot : name.length;
  return join(dirname(path), `${name.slice(0, cut)}-${writer}${name.slice(cut)}`);
}

/** Whether `path` leads to anything. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
