/**
 * Ports for servers that tests start. The kernel's own choice (port 0) is of no use for a program that reads its port
 * from a config, and a port that the kernel gave and took back may be handed to any outgoing connection next. So ports
 * come from below the range from which the kernel serves outgoing connections, at random, as test files run side by side.
 * A server listens seconds after its port was chosen, and another file may choose the same one meanwhile: in a whole run
 * each choice leaves a file in a folder that all share.
 *
 * @module
 */

const FIRST_PORT = 12_000;
const LAST_PORT = 31_999;
/** Far more than ports are ever in use at once. */
const MAX_TRIES = 200;
/** The folder with a file for each port that was given; null where test files run on their own. */
const CLAIMS = Deno.env.get("WEIR_TEST_PORTS") ?? null;

const given = new Set<number>();

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

/** Whether no other process or test file of this run was given `port`; from then on it is the caller's. */
function claim(port: number): boolean {
  if (CLAIMS === null) return true;
  try {
    Deno.writeTextFileSync(`${CLAIMS}/${port}`, "", { createNew: true });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

/** A port of 127.0.0.1 on which nothing listens, and that this function has not given before, in the whole run. */
export function freePort(random: () => number = Math.random): number {
  for (let i = 0; i < MAX_TRIES; i++) {
    const port = FIRST_PORT + Math.floor(random() * (LAST_PORT - FIRST_PORT + 1));
    if (given.has(port) || !isFree(port) || !claim(port)) continue;
    given.add(port);
    return port;
  }
  throw new Error(
    `Cannot find a free port in ${FIRST_PORT} to ${LAST_PORT}: ${MAX_TRIES} tries were all in use`,
  );
}
