/**
 * A schema's findings as sentences: path, rule, value, and for an unknown key the nearest known one. They are ours
 * and not zod's, because sinks bring schemas of their own and all faults of a config should read alike.
 *
 * @module
 */
import type { z } from "zod";
import { isMap, type KeyPath, pathText, valueAt } from "./key_path.ts";
import { nearestKey } from "./nearest_key.ts";
import { shown } from "./redact.ts";
import { knownKeys, schemaNode } from "./schema_node.ts";

/** The sentence for a key at `path` that is not among `known`. */
export function unknownKey(path: KeyPath, known: readonly string[]): string {
  const nearest = nearestKey(String(path.at(-1)), known);
  return `${pathText(path)}: unknown key; ${
    nearest === null ? "no key is known here" : `the nearest known key is "${nearest}"`
  }`;
}

/** The sentence for a value at `path` that breaks `rule`. */
export function brokenRule(path: KeyPath, rule: string, value: unknown): string {
  const is = value === undefined ? "is missing" : `is ${shown(String(path.at(-1) ?? ""), value)}`;
  return `${pathText(path)}: ${rule}, but ${is}`;
}

/** The findings `issues` of `schema` about `value`, which stands at `base` in the config. */
export function toFaults(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  value: unknown,
  base: KeyPath,
): string[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(schemaNode(schema), issue.path);
      return issue.keys.map((key) => unknownKey([...path, key], known));
    }
    const culprit = valueAt(value, issue.path);
    // A rule between the keys of a map names the values itself.
    if (issue.code === "custom" && isMap(culprit)) return [`${pathText(path)}: ${issue.message}`];
    return [brokenRule(path, ruleOf(issue), culprit)];
  });
}

function ruleOf(issue: z.core.$ZodIssue): string {
  const own = issue.message.replace(/^(Invalid input|Too small|Too big|Invalid string|Invalid option): /, "");
  if (own.startsWith("must ")) return own;
  switch (issue.code) {
    case "invalid_type":
      return `must be ${article(issue.expected)}`;
    case "invalid_value":
      return `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.map(String).join(", ")}`;
    case "too_small":
      return `must be ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}${unitOf(issue.origin)}`;
    case "too_big":
      return `must be ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}${unitOf(issue.origin)}`;
    case "invalid_union":
      return "must have one of the forms that are allowed here";
    default:
      return own;
  }
}

function article(expected: string): string {
  if (expected === "object" || expected === "record") return "a map of keys";
  if (expected === "array") return "a list";
  if (expected === "int") return "a whole number";
  return `a ${expected}`;
}

function unitOf(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " entries" : "";
}
