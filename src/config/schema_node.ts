/**
 * A schema as data that can be walked: which keys are known where, in which order, and what they mean. JSON Schema is
 * that form, because a sink's module may bring its own copy of zod, whose classes are not ours.
 *
 * @module
 */
import { z } from "zod";
import type { KeyPath } from "./key_path.ts";

/** The part of JSON Schema that is walked here. */
export interface SchemaNode {
  /** Type of the value. */
  readonly type?: string;
  /** Schemas of named members. */
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  /** Names of members that must be there. */
  readonly required?: readonly string[];
  /** Schema of further members; false where there are none. */
  readonly additionalProperties?: SchemaNode | boolean;
  /** Schema of elements. */
  readonly items?: SchemaNode;
  /** Alternatives. */
  readonly anyOf?: readonly SchemaNode[];
  /** Alternatives of which one holds. */
  readonly oneOf?: readonly SchemaNode[];
  /** Allowed values. */
  readonly enum?: readonly unknown[];
  /** The only allowed value. */
  readonly const?: unknown;
  /** Value when there is none. */
  readonly default?: unknown;
  /** Meaning, for users. */
  readonly description?: string;
}

/** `schema` as JSON Schema of what a user writes; what JSON Schema cannot say is left open. */
export function schemaNode(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as SchemaNode;
}

/** Keys that `node` knows at `path`; empty where any key goes. */
export function knownKeys(node: SchemaNode, path: KeyPath): string[] {
  const alternatives = [...node.anyOf ?? [], ...node.oneOf ?? []];
  const [first, ...rest] = path;
  if (first === undefined) {
    return [...Object.keys(node.properties ?? {}), ...alternatives.flatMap((inner) => knownKeys(inner, []))];
  }
  const further = typeof node.additionalProperties === "object" ? node.additionalProperties : undefined;
  const next = typeof first === "number"
    ? node.items
    : Object.hasOwn(node.properties ?? {}, first)
    ? node.properties?.[String(first)]
    : further;
  return [...next ? knownKeys(next, rest) : [], ...alternatives.flatMap((inner) => knownKeys(inner, path))];
}
