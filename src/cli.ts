/**
 * The command line. It turns arguments into one call and one exit code, and says what is wrong in a sentence on
 * stderr; what it needs of the outside is handed in, so that tests see what a shell would.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import manifest from "../deno.json" with { type: "json" };
import {
  type Config,
  type ConfigIo,
  draftSegments,
  effectiveYaml,
  jsonSchema,
  loadConfig,
  planSegments,
  planTables,
} from "./config.ts";
import { ConfigError } from "./core/errors.ts";
import { permissionFlags } from "./permissions.ts";
import { readTls } from "./tls.ts";

/** What {@linkcode main} needs of the outside. */
export interface CliIo extends ConfigIo {
  /** Writes to standard output, as it is. */
  readonly stdout: (text: string) => void;
  /** Writes to standard error, as it is. */
  readonly stderr: (text: string) => void;
  /** Folder of `mod.ts`. */
  readonly home: string;
  /** Runs a gateway until it has stopped and resolves to the exit code. `configPath` is null for the embedded default. */
  readonly run: (config: Config, configPath: string | null) => Promise<number>;
}

/** Exit codes of the command line itself; a gateway that ran adds 3. */
export const ExitCode = {
  /** All went well. */
  CLEAN: 0,
  /** Failed while running. */
  FAILED: 1,
  /** The config or the arguments cannot be used. */
  USAGE: 2,
} as const;

const EXIT_CODES = `
Exit codes: 0 clean; 1 failed while running; 2 bad config or usage;
3 stopped with acknowledged records neither delivered nor on disk`;

const RIGHTS = `Deno did not give that right. "deno task start" gives what the config needs and no more;
"deno run --allow-read --allow-env mod.ts run --print-permissions" prints the flags, with --config FILE those of a config
`;

interface ConfigOption {
  /** Path of the config file, relative to the working directory. */
  readonly config?: string;
}

interface RunOptions extends ConfigOption {
  readonly printPermissions?: boolean;
}

/** Runs the command of `args` (those behind the program's name) and resolves to its exit code. Never rejects. */
export async function main(args: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = ExitCode.CLEAN;
  const program = commandLine(io, (code) => exitCode = code);
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.CLEAN : ExitCode.USAGE;
    io.stderr(`${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof Deno.errors.NotCapable) io.stderr(RIGHTS);
    return error instanceof ConfigError ? ExitCode.USAGE : ExitCode.FAILED;
  }
}

function commandLine(io: CliIo, exit: (code: number) => void): Command {
  const program = new Command("weir")
    .description("Edge stream gateway: takes records over HTTP, holds back what sinks cannot take")
    .version(manifest.version)
    .addHelpText("after", EXIT_CODES)
    .configureOutput({ writeOut: io.stdout, writeErr: io.stderr })
    // Before the commands are added: they inherit it.
    .exitOverride();
  program.command("run")
    .description("start the gateway; without --config, with the embedded default")
    .option("-c, --config <file>", "config file, YAML or JSON")
    .option(
      "--print-permissions",
      "start nothing; print the flags of deno run that this config needs, one a line",
    )
    .action(async (options: RunOptions) => {
      const path = options.config ?? null;
      if (options.printPermissions) return io.stdout(`${(await neededFlags(path, io)).join("\n")}\n`);
      const config = await loadConfig(path, io);
      planSegments(config);
      await checkFiles(config, io);
      exit(await io.run(config, path));
    });
  program.command("check")
    .description("check the config; print the effective one and the segments of each lane and stream")
    .option("-c, --config <file>", "config file, YAML or JSON")
    .action(async (options: ConfigOption) => {
      const config = await loadConfig(options.config ?? null, io);
      const draft = draftSegments(config);
      io.stdout(`${effectiveYaml(config, draft)}\n${planTables(draft)}`);
      planSegments(config);
      await checkFiles(config, io);
    });
  program.command("schema")
    .description("print the JSON Schema of the config")
    .action(() => io.stdout(`${JSON.stringify(jsonSchema(io.sinks), null, 2)}\n`));
  return program;
}

/** Loads the config of `path` and sees what it asks of the machine meanwhile. */
async function neededFlags(path: string | null, io: CliIo): Promise<string[]> {
  const env = new Set<string>();
  const sys = new Set<string>();
  const config = await loadConfig(path, {
    ...io,
    env: (name) => {
      env.add(name);
      return io.env(name);
    },
    hostname: () => {
      sys.add("hostname");
      return "any";
    },
  });
  return permissionFlags(config, { path, env: [...env], sys: [...sys], home: io.home });
}

/** The files that a config names must be good before anything is opened. */
async function checkFiles({ listen: { tls } }: Config, io: CliIo): Promise<void> {
  if (tls !== null) await readTls(tls, io.readTextFile);
}
