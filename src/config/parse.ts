/**
 * The config as the gateway uses it: everything defaulted, read-only, and checked as a whole. All faults are told at
 * once, because an operator who is told one per start needs as many starts.
 *
 * @module
 */
import { z } from "zod";
import { ConfigError } from "../core/errors.ts";
import type { SinkDefinition, SinkHints } from "../sink/adapter.ts";
import { crossFaults, sourceFaults } from "./cross_checks.ts";
import { brokenRule, unknownKey } from "./faults.ts";
import { isName, NAME_RULE } from "./fields.ts";
import { isMap, pathText } from "./key_path.ts";
import { nearestKey } from "./nearest_key.ts";
import { entriesOf, plainCopy, read } from "./read.ts";
import { knownKeys, schemaNode } from "./schema_node.ts";
import {
  type AdminConfig,
  adminSchema,
  type BuffersConfig,
  buffersSchema,
  type GatewayConfig,
  gatewaySchema,
  type ListenConfig,
  listenSchema,
} from "./sections.ts";
import { type SourceConfig, sourceSchema, toSourceConfig } from "./source_schema.ts";
import { COMMON_SINK_KEYS, commonSinkSchema, type SinkConfig, toSinkConfig } from "./sink_schema.ts";
import { type StreamConfig, streamSchema, toStreamConfig } from "./stream_schema.ts";

/** Everything that a gateway is told. Streams and sinks keep the order of the file. */
export interface Config {
  /** The gateway as a whole. */
  readonly gateway: GatewayConfig;
  /** The data port. */
  readonly listen: ListenConfig;
  /** The admin port. */
  readonly admin: AdminConfig;
  /** The network buffer pool. */
  readonly buffers: BuffersConfig;
  /** Streams by name. */
  readonly streams: ReadonlyMap<string, StreamConfig>;
  /** Sinks by name. */
  readonly sinks: ReadonlyMap<string, SinkConfig>;
  /** Sources by name. */
  readonly sources: ReadonlyMap<string, SourceConfig>;
}

/** Schema of the root; `streams`, `sinks` and `sources` are parsed name by name, for the schemas of sinks depend on their types. */
export const rootSchema = z.strictObject({
  gateway: gatewaySchema.prefault({}),
  listen: listenSchema.prefault({}),
  admin: adminSchema.prefault({}),
  buffers: buffersSchema.prefault({}),
  streams: z.unknown().optional(),
  sinks: z.unknown().optional(),
  sources: z.unknown().optional(),
});

/** What the outside contributes to a config. */
export interface ParseOptions {
  /** Gives `gateway.id` when it is not set; the host's name by default. */
  readonly hostname?: () => string;
}

/**
 * Parses what a YAML or JSON parser gave, or what a caller of the library wrote as an object.
 *
 * @param sinkDefinitions the kinds of sinks that `type` may name; a module's kind carries its path as `type`.
 * @throws {ConfigError} with every fault that was found.
 */
export function parseConfig(
  raw: unknown,
  sinkDefinitions: readonly SinkDefinition[],
  { hostname = Deno.hostname }: ParseOptions = {},
): Config {
  if (!isMap(raw)) throw new ConfigError([brokenRule([], "must be a map of keys", raw)]);
  const faults: string[] = [];
  const copy = plainCopy(raw, [], faults);
  const root = read(rootSchema, copy, [], faults);
  const { streams: rawStreams, sinks: rawSinks, sources: rawSources } = copy as Record<string, unknown>;

  const streams = new Map<string, StreamConfig>();
  for (const [name, value] of namedEntries("streams", rawStreams, faults)) {
    const stream = read(streamSchema, value, ["streams", name], faults);
    if (stream.kind === "good") streams.set(name, toStreamConfig(name, stream.value));
  }
  const sinks = new Map<string, SinkConfig>();
  const namedSinks = namedEntries("sinks", rawSinks, faults);
  for (const [name, value] of namedSinks) {
    const users = [...streams.values()].filter((stream) => stream.sinks.includes(name));
    const sink = readSink(name, value, sinkDefinitions, users.map((stream) => stream.name), faults);
    if (sink !== null) sinks.set(name, sink);
  }

  const sources = new Map<string, SourceConfig>();
  for (const [name, value] of namedEntries("sources", rawSources ?? {}, faults)) {
    const source = read(sourceSchema, value, ["sources", name], faults);
    if (source.kind === "good") sources.set(name, toSourceConfig(name, source.value));
  }

  faults.push(...crossFaults(streams, sinks, new Set(namedSinks.map(([name]) => name))));
  faults.push(...sourceFaults(sources, isMap(rawStreams) ? Object.keys(rawStreams) : []));
  if (root.kind === "faulty") throw new ConfigError(faults);
  const { gateway, listen, admin, buffers } = root.value;
  if (listen.port !== 0 && listen.port === admin.port && listen.hostname === admin.hostname) {
    faults.push(
      brokenRule(["admin", "port"], "must differ from listen.port on the same address", admin.port),
    );
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    gateway: { ...gateway, id: gateway.id ?? hostname() },
    listen,
    admin: { ...admin, token: admin.token ?? null },
    buffers,
    streams,
    sinks,
    sources,
  };
}

/** Members of a section whose names may be used; at least one stream and one sink must be there. */
function namedEntries(
  section: "streams" | "sinks" | "sources",
  value: unknown,
  faults: string[],
): [string, unknown][] {
  const told = faults.length;
  const entries = entriesOf(value, [section], faults);
  if (section !== "sources" && entries.length === 0 && faults.length === told) {
    faults.push(brokenRule([section], `must name at least one ${section.slice(0, -1)}`, value));
  }
  return entries.filter(([name]) => {
    if (isName(name)) return true;
    faults.push(`${pathText([section, name])}: the name ${NAME_RULE}, but is ${JSON.stringify(name)}`);
    return false;
  });
}

function readSink(
  name: string,
  value: unknown,
  definitions: readonly SinkDefinition[],
  streams: readonly string[],
  faults: string[],
): SinkConfig | null {
  const path = ["sinks", name];
  if (!isMap(value)) {
    faults.push(brokenRule(path, "must be a map of keys with a type", value));
    return null;
  }
  const common: Record<string, unknown> = {};
  const own: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    (COMMON_SINK_KEYS.includes(key) ? common : own)[key] = item;
  }

  const parsed = read(commonSinkSchema, common, path, faults);
  const definition = definitions.find((candidate) => candidate.type === common.type);
  if (definition === undefined) {
    // Without a kind nobody can tell which of its options are right.
    if (typeof common.type === "string" && common.type !== "") {
      faults.push(unknownType(name, common.type, definitions));
    }
    return null;
  }
  const known = knownKeys(schemaNode(definition.config), []);
  const unknown = Object.keys(own).filter((key) => !known.includes(key));
  for (const key of unknown) {
    faults.push(unknownKey([...path, key], [...known, ...COMMON_SINK_KEYS]));
    delete own[key];
  }
  const options = read(definition.config, own, path, faults);
  if (parsed.kind === "faulty" || options.kind === "faulty") return null;
  let sink: SinkConfig;
  try {
    sink = toSinkConfig(name, parsed.value, definition, options.value, streams);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    faults.push(`sinks.${name}.type: the hints of ${definition.type} cannot be had: ${reason}`);
    return null;
  }
  faults.push(...hintFaults(sink.type, name, sink.batch));
  return sink;
}

function unknownType(name: string, type: string, definitions: readonly SinkDefinition[]): string {
  const known = definitions.map((definition) => definition.type);
  const rule = `must be one of ${known.join(", ")}, or a path to a module (./my_sink.ts)`;
  const nearest = nearestKey(type, known);
  return `${brokenRule(["sinks", name, "type"], rule, type)}${
    nearest === null ? "" : `; the nearest is "${nearest}"`
  }`;
}

/** A module's hints come from outside; a NaN among them would only show as a lane that never moves. */
function hintFaults(type: string, name: string, hints: SinkHints): string[] {
  const least: Record<Exclude<keyof SinkHints, "inOrder">, number> = {
    maxRecords: 1,
    maxBytes: 1,
    lingerMs: 0,
    framingBytes: 0,
    writesInFlight: 1,
  };
  return Object.entries(least).flatMap(([key, min]) => {
    const hint = hints[key as keyof typeof least];
    if (Number.isSafeInteger(hint) && hint >= min) return [];
    return [
      `sinks.${name}.type: the hint ${key} of ${type} must be a whole number, at least ${min}, but is ${hint}`,
    ];
  });
}
