/**
 * One schema, one value, and the faults of it. The value is plain data from a parser or from a caller of the library;
 * it is copied first, so that nobody's object is changed.
 *
 * @module
 */
import type { z } from "zod";
import { brokenRule, toFaults } from "./faults.ts";
import { isMap, type KeyPath, pathText, valueAt } from "./key_path.ts";

/** What {@linkcode read} makes of a value. */
export type ReadResult<T> =
  /** It holds to the schema. */
  | { readonly kind: "good"; readonly value: T }
  /** It does not; the faults were told. */
  | { readonly kind: "faulty" };

/**
 * A copy of `value` in which null stands for nothing (`retry:` without a value is YAML's null), and in which no key is
 * `__proto__`: assigning to it would set a prototype, and zod passes over it without a word.
 */
export function plainCopy(value: unknown, path: KeyPath, faults: string[]): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map((item, i) => plainCopy(item, [...path, i], faults));
  if (!isMap(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === "__proto__") {
      faults.push(`${pathText([...path, key])}: unknown key; this name cannot be used`);
    } else copy[key] = plainCopy(item, [...path, key], faults);
  }
  return copy;
}

/** Members of the map at `path`; a fault and none when it is something else. */
export function entriesOf(value: unknown, path: KeyPath, faults: string[]): [string, unknown][] {
  if (isMap(value)) return Object.entries(value);
  if (value !== undefined) faults.push(brokenRule(path, "must be a map of keys", value));
  return [];
}

/**
 * Parses `value`, which stands at `path`. A string that reads as a number, true or false is taken as such where one is
 * wanted, because the environment only has strings; `value` is changed in that case.
 */
export function read<T>(
  schema: z.ZodType<T>,
  value: unknown,
  path: KeyPath,
  faults: string[],
): ReadResult<T> {
  let result = schema.safeParse(value);
  if (!result.success && readScalars(result.error.issues, value, [])) result = schema.safeParse(value);
  if (result.success) return { kind: "good", value: result.data };
  faults.push(...toFaults(result.error.issues, schema, value, path));
  return { kind: "faulty" };
}

/** Replaces strings in `root` by what `issues` wanted in their place. Returns whether any was. */
function readScalars(issues: readonly z.core.$ZodIssue[], root: unknown, base: KeyPath): boolean {
  let changed = false;
  for (const issue of issues) {
    const path = [...base, ...issue.path];
    if (issue.code === "invalid_union") {
      for (const branch of issue.errors) changed = readScalars(branch, root, path) || changed;
    } else if (issue.code === "invalid_type") {
      const scalar = scalarOf(valueAt(root, path), issue.expected);
      const parent = valueAt(root, path.slice(0, -1));
      if (scalar !== undefined && typeof parent === "object" && parent !== null) {
        (parent as Record<PropertyKey, unknown>)[path[path.length - 1]] = scalar;
        changed = true;
      }
    }
  }
  return changed;
}

function scalarOf(value: unknown, expected: string): number | boolean | undefined {
  if (typeof value !== "string") return undefined;
  if (expected === "boolean" && (value === "true" || value === "false")) return value === "true";
  const isNumber = (expected === "number" || expected === "int") && /^-?\d+(\.\d+)?$/.test(value);
  return isNumber ? Number(value) : undefined;
}
