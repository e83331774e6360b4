/**
 * From a path to a config that can be run: read the file, load the modules of its own sinks, parse, and see that the
 * pool can promise what it must. The same call serves the start and every reload.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "../core/errors.ts";
import type { SinkDefinition } from "../sink/adapter.ts";
import { DEFAULT_CONFIG } from "./defaults.ts";
import type { Environment } from "./interpolate.ts";
import { type Config, parseConfig } from "./parse.ts";
import { isMap } from "./key_path.ts";
import { formatOf, parseConfigText, type RawConfig } from "./text.ts";

/** What loading a config needs of the outside. */
export interface ConfigIo {
  /** Looks up one variable of the environment. */
  readonly env: Environment;
  /** Reads a file; rejects when it cannot be read. */
  readonly readTextFile: (path: string) => Promise<string>;
  /** Imports a module by its URL. */
  readonly loadModule: (url: string) => Promise<unknown>;
  /** The kinds of sinks that need no module. */
  readonly sinks: readonly SinkDefinition[];
  /** Gives `gateway.id` where it is not set; the host's name by default. */
  readonly hostname?: () => string;
}

/**
 * The config of the file `path`, or the embedded default for null.
 *
 * @throws {ConfigError} when the file, one of its modules or the config cannot be used.
 */
export async function loadConfig(path: string | null, io: ConfigIo): Promise<Config> {
  const raw = path === null ? DEFAULT_CONFIG : await loadConfigFile(path, io);
  const modules = await loadModuleSinks(raw, pathToFileURL(resolve(path ?? "config")).href, io.loadModule);
  return parseConfig(raw, [...io.sinks, ...modules], { hostname: io.hostname });
}

/** The file `path` as it was written, with the environment put in. Throws {@linkcode ConfigError}. */
export async function loadConfigFile(
  path: string,
  io: Pick<ConfigIo, "env" | "readTextFile">,
): Promise<RawConfig> {
  let text: string;
  try {
    text = await io.readTextFile(path);
  } catch (error) {
    throw new ConfigError([`Cannot read the config file ${path}: ${messageOf(error)}`]);
  }
  return parseConfigText(text, { format: formatOf(path), env: io.env, fileName: path });
}

/** The sink types of `raw` that are paths to modules (`./`, `../`, `/`, `file:`), each once, as they were written. */
export function moduleSinkTypes(raw: RawConfig): string[] {
  if (!isMap(raw.sinks)) return [];
  const types = Object.values(raw.sinks).map((sink) => isMap(sink) ? sink.type : undefined);
  return [...new Set(types.filter((type) => typeof type === "string"))].filter((type) =>
    /^(\.{0,2}\/|file:)/.test(type)
  );
}

/**
 * The definitions of the sink modules in `raw`, each with the path as its `type`. Paths are relative to `configUrl`.
 *
 * @throws {ConfigError} for every module that cannot be loaded or does not default-export a sink definition.
 */
export async function loadModuleSinks(
  raw: RawConfig,
  configUrl: string,
  loadModule: ConfigIo["loadModule"],
): Promise<SinkDefinition[]> {
  const faults: string[] = [];
  const definitions: SinkDefinition[] = [];
  for (const type of moduleSinkTypes(raw)) {
    try {
      const module = await loadModule(new URL(type, configUrl).href);
      const definition = (module as { default?: unknown }).default;
      if (isDefinition(definition)) definitions.push({ ...definition, type });
      else {faults.push(
          `Cannot use the sink module ${type}: it must default-export defineSink({ type, config, hints, open })`,
        );}
    } catch (error) {
      faults.push(`Cannot load the sink module ${type}: ${messageOf(error)}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return definitions;
}

function isDefinition(value: unknown): value is SinkDefinition {
  if (!isMap(value)) return false;
  const { type, config, hints, open } = value;
  const isSchema = typeof config === "object" && config !== null && "safeParse" in config;
  return typeof type === "string" && isSchema && typeof hints === "function" && typeof open === "function";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
