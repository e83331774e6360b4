/**
 * Jars of a server from Maven Central. They stay in `.cache/services`, outside what is checked in, so that only the
 * first run on a machine waits for them; test files run side by side, so one fetches and the others wait for it.
 *
 * @module
 */
import { join } from "node:path";

const CACHE = new URL("../../.cache/services/", import.meta.url).pathname;
/** A first fetch of some 50 MB over a slow line. */
const FETCH_DEADLINE_MS = 180_000;

/** Folder of all jars that `pom.xml` in `folder` (beside this file) asks for; fetched when they are not there. */
export async function jarsOf(folder: string): Promise<string> {
  const pom = new URL(`./${folder}/pom.xml`, import.meta.url).pathname;
  const wanted = await digest(await Deno.readFile(pom));
  const name = folder.replaceAll("/", "-");
  const place = join(CACHE, `${name}-${wanted}`);
  await Deno.mkdir(CACHE, { recursive: true });
  using lock = await Deno.open(join(CACHE, `${name}.lock`), { write: true, create: true });
  await lock.lock(true);
  if (await isThere(place)) return place;
  const fresh = `${place}.new`;
  if (await isThere(fresh)) await Deno.remove(fresh, { recursive: true });
  await fetchJars(pom, fresh);
  await Deno.rename(fresh, place);
  return place;
}

async function fetchJars(pom: string, target: string): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("mvn", {
    args: [
      "-q",
      "-B",
      "-f",
      pom,
      "dependency:copy-dependencies",
      "-DincludeScope=runtime",
      `-DoutputDirectory=${target}`,
    ],
    stdin: "null",
    signal: AbortSignal.timeout(FETCH_DEADLINE_MS),
  }).output();
  if (success) return;
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  throw new Error(`Cannot fetch the jars of ${pom} with mvn: ${said.slice(-2000)}`);
}

/** A changed pom is another folder. */
async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, 12);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
