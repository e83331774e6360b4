/**
 * The config told to others: as JSON Schema to editors, as rows to the README. Both come from the schemas that parse,
 * so they cannot say anything else.
 *
 * @module
 */
import { z } from "zod";
import type { SinkDefinition } from "../sink/adapter.ts";
import { rootSchema } from "./parse.ts";
import { type SchemaNode, schemaNode } from "./schema_node.ts";
import { commonSinkSchema } from "./sink_schema.ts";
import { sourceSchema } from "./source_schema.ts";
import { streamSchema } from "./stream_schema.ts";

/** One key of the config. */
export interface ConfigRow {
  /** Where it stands: `streams.NAME.ack`. */
  readonly path: string;
  /** What its value is, in words. */
  readonly type: string;
  /** Value when it is not set: JSON, `required`, or empty where there is none. */
  readonly default: string;
  /** Meaning. */
  readonly description: string;
}

const NAME_NODE = { type: "string", pattern: "^[a-z0-9-]{1,64}$" };

/** JSON Schema (draft 2020-12) of the whole config, with the options of `definitions`. */
export function jsonSchema(definitions: readonly SinkDefinition[]): Record<string, unknown> {
  const { properties, ...root } = inner(z.toJSONSchema(rootSchema, { io: "input" }));
  const common = schemaNode(commonSinkSchema);
  const kinds = definitions.map((definition) => {
    const own = schemaNode(definition.config);
    return {
      type: "object",
      properties: { ...own.properties, ...common.properties, type: { const: definition.type } },
      required: ["type", ...own.required ?? []],
      additionalProperties: false,
    };
  });
  const module = {
    type: "object",
    properties: { ...common.properties, type: { type: "string", pattern: "^(\\.{0,2}/|file:)" } },
    required: ["type"],
  };
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Weir config",
    ...root,
    properties: {
      ...(properties as Record<string, unknown>),
      streams: {
        type: "object",
        minProperties: 1,
        propertyNames: NAME_NODE,
        additionalProperties: inner(z.toJSONSchema(streamSchema, { io: "input" })),
      },
      sinks: {
        type: "object",
        minProperties: 1,
        propertyNames: NAME_NODE,
        additionalProperties: { oneOf: [...kinds, module] },
      },
      sources: {
        type: "object",
        propertyNames: NAME_NODE,
        additionalProperties: inner(z.toJSONSchema(sourceSchema, { io: "input" })),
      },
    },
    required: ["streams", "sinks"],
  };
}

/** Every key of the config in the order of its schema; a sink's own options stand under `sinks.NAME (type)`. */
export function describeConfig(definitions: readonly SinkDefinition[]): ConfigRow[] {
  const sections = Object.entries(schemaNode(rootSchema).properties ?? {})
    .filter(([name]) => !["streams", "sinks", "sources"].includes(name));
  return [
    ...sections.flatMap(([name, node]) => rowsOf(name, node)),
    ...rowsOf("streams.NAME", schemaNode(streamSchema)),
    ...rowsOf("sinks.NAME", schemaNode(commonSinkSchema)),
    ...definitions.flatMap((definition) =>
      rowsOf(`sinks.NAME (${definition.type})`, schemaNode(definition.config))
    ),
    ...rowsOf("sources.NAME", schemaNode(sourceSchema)),
  ];
}

/** `optional`: the map of `node` may be left out, so none of its keys has to be there. */
function rowsOf(path: string, node: SchemaNode, optional = false): ConfigRow[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const at = `${path}.${key}`;
    const required = !optional && node.required?.includes(key) === true;
    if (child.properties !== undefined) return rowsOf(at, child, !required);
    return [{
      path: at,
      type: typeText(child),
      default: required ? "required" : child.default === undefined ? "" : JSON.stringify(child.default),
      description: child.description ?? "",
    }];
  });
}

function typeText(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map(String).join(", ");
  if (node.const !== undefined) return String(node.const);
  const alternatives = node.anyOf ?? node.oneOf;
  if (alternatives !== undefined) return [...new Set(alternatives.map(typeText))].join(" or ");
  if (node.type === "integer") return "whole number";
  if (node.type === "array") return `list of ${node.items ? typeText(node.items) : "any"}s`;
  if (node.type === "object") return "map";
  return node.type ?? "any";
}

/** Without `$schema`, which only the root of a schema has. */
function inner(schema: object): Record<string, unknown> {
  const { $schema: _, ...rest } = schema as Record<string, unknown>;
  return rest;
}
