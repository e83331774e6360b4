/**
 * `deno task start`: finds out which rights the config needs and starts the gateway with these and no others.
 *
 * A process of its own, because rights are given at the start and cannot be narrowed to single files and hosts later.
 * It passes on SIGTERM and SIGHUP, the end of its child is its own, and Ctrl-C reaches both from the terminal. Where a
 * process more is not wanted, as under systemd, `weir run --print-permissions` gives the flags once and for all.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { V8_FLAGS } from "./v8_flags.ts";

const MOD_TS = fileURLToPath(new URL("../mod.ts", import.meta.url));

/** Exit code of a shell for a program that signal `n` ended, less `n`. */
const SIGNALLED = 128;

async function launch(args: readonly string[]): Promise<number> {
  const printed = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MOD_TS, "run", "--print-permissions", ...args],
    stderr: "inherit",
  }).output();
  if (!printed.success) return printed.code;
  const text = new TextDecoder().decode(printed.stdout);
  const flags = text.split("\n").filter((line) => line.startsWith("--allow-"));
  if (flags.length === 0) {
    // `--help` and the like: what was printed is the answer.
    Deno.stdout.writeSync(printed.stdout);
    return 0;
  }
  const gateway = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", V8_FLAGS, ...flags, MOD_TS, "run", ...args],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  for (const signal of ["SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => passOn(gateway, signal));
  }
  // The terminal sends it to the gateway too, which drains: this process waits for that.
  Deno.addSignalListener("SIGINT", () => {});
  const { code, signal } = await gateway.status;
  return signal === null ? code : SIGNALLED + code % SIGNALLED;
}

/** The gateway may have ended while the signal was on its way. */
function passOn(gateway: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    gateway.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

Deno.exit(await launch(Deno.args));
