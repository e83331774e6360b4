/**
 * Files that an option names. What the operating system says of a missing one tells neither which key named it nor
 * where it was looked for, and this is mostly the first fault of a new config.
 *
 * @module
 */

/** Text of the file at `path`, which the option `key` names. Rejects with an Error that says both. */
export async function readOptionFile(key: string, path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file (relative paths start at the working directory)"
      : error.message;
    throw new Error(`cannot read ${key}, ${JSON.stringify(path)}: ${reason}`);
  }
}
