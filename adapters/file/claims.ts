/**
 * One log per path: two sinks that append to one file would roll back each other's records after a failed write. Other
 * processes are the operator's to keep away.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";

const claimed = new Set<string>();

/** Claims `path`, whose folder exists, for one log of this process; returns how to give it back. Throws when it is taken. */
export async function claimPath(path: string): Promise<() => void> {
  const real = await realPath(path);
  if (claimed.has(real)) {
    throw new Error(
      `Cannot open "${path}" as another file sink of this gateway is writing it; give each its own path`,
    );
  }
  claimed.add(real);
  return () => void claimed.delete(real);
}

/** The path without links; a file that is not there yet is at its name in the real folder. */
async function realPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return join(await Deno.realPath(dirname(path)), basename(path));
  }
}
