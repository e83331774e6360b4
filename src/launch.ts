/**
 * `deno task start`: finds out which rights the config needs and starts the gateway with these and no others.
 *
 * A process of its own, because rights are given at the start and cannot be narrowed to single files and hosts later.
 * The modules of the config are loaded to ask them, before anyone knows what they may do: with the right to read and
 * look around, and none to write, to call anywhere or to start a program. Who signals this process means the gateway,
 * whose end is the end of this process. Where a process more is not wanted, as under systemd,
 * `weir run --print-permissions` gives the flags once and for all.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { PASSED_ON } from "./stop_signals.ts";
import { V8_FLAGS } from "./v8_flags.ts";

const MOD_TS = fileURLToPath(new URL("../mod.ts", import.meta.url));

/** Enough to load a config and its modules. */
const ASKING = ["--no-prompt", "--allow-read", "--allow-env", "--allow-sys"];

/** What a config may ask for; a module that writes other flags to standard output is not heard. */
const FLAG = /^--allow-(env|net|read|write|sys)=/;

/**
 * A Ctrl-C comes from the terminal, and some 20 ms later once more from `deno task`. A second one ends the drain, so both
 * are one.
 */
const ONE_SIGNAL_MS = 500;

/** Exit code of a shell for a program that signal `n` ended, less `n`. */
const SIGNALLED = 128;

async function launch(args: readonly string[]): Promise<number> {
  const printed = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...ASKING, MOD_TS, "run", "--print-permissions", ...args],
    stderr: "inherit",
  }).output();
  if (!printed.success) return printed.code;
  const text = new TextDecoder().decode(printed.stdout);
  const flags = text.split("\n").filter((line) => FLAG.test(line));
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
  for (const signal of ["SIGHUP", "SIGQUIT"] as const) {
    Deno.addSignalListener(signal, () => passOn(gateway, signal));
  }
  let latest = 0;
  for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15]] as const) {
    let latestMs = -Infinity;
    Deno.addSignalListener(signal, () => {
      const nowMs = performance.now();
      // Not as itself: of what a terminal sends to all processes the gateway has its own.
      if (nowMs - latestMs > ONE_SIGNAL_MS) passOn(gateway, PASSED_ON);
      [latest, latestMs] = [number, nowMs];
    });
  }
  const { code, signal } = await gateway.status;
  if (signal === PASSED_ON) return SIGNALLED + latest;
  return signal === null ? code : SIGNALLED + code % SIGNALLED;
}

/** The gateway may have ended while the signal was on its way. */
function passOn(gateway: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    gateway.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

Deno.exit(await launch(Deno.args));
