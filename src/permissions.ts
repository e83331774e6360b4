/**
 * The rights that a config needs, as flags of `deno run`: nothing that the gateway does not use, so that a sink module
 * or a library that is not what it seems can neither read other files nor call anywhere.
 *
 * @module
 */
import { dirname, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { CLIENT_ENV, CLIENT_FOLDER } from "../adapters/kafka/client.ts";
import type { Config } from "./config.ts";
import type { SinkPermissions } from "./sink/adapter.ts";

/** What libraries look up: pino (`thread-stream`) whether coverage runs, ws whether its native helpers are unwanted, yaml whether to trace. */
const LIBRARY_ENV = [
  "NODE_V8_COVERAGE",
  "WS_NO_BUFFER_UTIL",
  "WS_NO_UTF_8_VALIDATE",
  "LOG_STREAM",
  "LOG_TOKENS",
];

/** Where a config came from. */
export interface ConfigOrigin {
  /** The config file; null for the embedded default. */
  readonly path: string | null;
  /** Variables of the environment that it names. */
  readonly env: readonly string[];
  /** System information that was asked for to complete it, as `hostname`. */
  readonly sys: readonly string[];
  /** Folder of `mod.ts`, which the modules of sinks import from. */
  readonly home: string;
}

/** The flags, each once, in a fixed order: `--allow-net=127.0.0.1:8080,…` and so on. */
export function permissionFlags(config: Config, origin: ConfigOrigin): string[] {
  return neededRights(config, origin).filter(([, values]) => values.length > 0)
    .map(([name, values]) => `--allow-${name}=${values.map(escaped).join(",")}`);
}

/** Those of the flags that this process was not given. */
export function missingRights(config: Config, origin: ConfigOrigin): string[] {
  return neededRights(config, origin).flatMap(([name, values]) =>
    values.filter((value) => Deno.permissions.querySync(descriptor(name, value)).state !== "granted")
      .map((value) => `--allow-${name}=${escaped(value)}`)
  );
}

type RightName = "env" | "net" | "read" | "write" | "sys";

function descriptor(name: RightName, value: string): Deno.PermissionDescriptor {
  switch (name) {
    case "env":
      return { name, variable: value };
    case "net":
      return { name, host: value };
    case "sys":
      return { name, kind: value as Deno.SysPermissionDescriptor["kind"] };
    default:
      return { name, path: value };
  }
}

function neededRights(config: Config, origin: ConfigOrigin): [RightName, string[]][] {
  const sinks = [...config.sinks.values()].map(({ definition, options }): SinkPermissions =>
    definition.permissions?.(options) ?? {}
  );
  const of = (kind: keyof SinkPermissions) => sinks.flatMap((sink) => sink[kind] ?? []);
  const { dataDir } = config.gateway;
  const { tls } = config.listen;
  const certificates = tls === null
    ? []
    : [tls.certFile, tls.keyFile, ...tls.clientCaFile ? [tls.clientCaFile] : []];
  const sources = [...config.sources.values()];
  const sourceFiles = sources.flatMap(({ tls }) => [tls?.ca, tls?.cert, tls?.key])
    .filter((path) => path !== undefined);
  const client = sources.length > 0;
  const files = [...origin.path === null ? [] : [origin.path], ...certificates];
  return [
    ["env", distinct([...LIBRARY_ENV, ...origin.env, ...client ? CLIENT_ENV : [], ...of("env")])],
    [
      "net",
      distinct([
        address(config.listen),
        address(config.admin),
        ...sources.flatMap(({ brokers }) => brokers),
        ...of("net"),
      ]),
    ],
    [
      "read",
      outermost([
        dataDir,
        ...files,
        ...sourceFiles,
        ...client ? [CLIENT_FOLDER] : [],
        ...moduleFolders(config, origin),
        ...of("read"),
      ]),
    ],
    ["write", outermost([dataDir, ...of("write")])],
    ["sys", distinct([...origin.sys, ...of("sys")])],
  ];
}

/** A comma parts values; written twice, it is one. */
function escaped(value: string): string {
  return value.replaceAll(",", ",,");
}

/** Port 0 may become any. */
function address({ hostname, port }: { readonly hostname: string; readonly port: number }): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return port === 0 ? host : `${host}:${port}`;
}

/** Modules named in the config are loaded while it runs, with what they import: their own folders, and the gateway's code. */
function moduleFolders(config: Config, { path, home }: ConfigOrigin): string[] {
  const base = pathToFileURL(resolve(path ?? "config"));
  const folders: string[] = [];
  for (const { type } of config.sinks.values()) {
    if (/^(\.{0,2}\/|file:)/.test(type)) folders.push(dirname(fileURLToPath(new URL(type, base))));
  }
  return folders.length > 0 ? [...folders, home] : [];
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** Without what lies in another one. */
function outermost(paths: readonly string[]): string[] {
  const isWithin = (path: string, folder: string) => {
    const [inner, outer] = [resolve(path), resolve(folder)];
    return inner !== outer && inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
  };
  const different = paths.filter((path, i) =>
    paths.findIndex((other) => resolve(other) === resolve(path)) === i
  );
  return different.filter((path) => !different.some((folder) => isWithin(path, folder)));
}
