/**
 * Where a value stands in the config, as the user would point at it: `streams.events.sinks[1]`.
 *
 * @module
 */

/** Keys and indexes from the root to a value. */
export type KeyPath = readonly PropertyKey[];

/** The path in words; the root is `config`. */
export function pathText(path: KeyPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(String(part))) text += text === "" ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text === "" ? "config" : text;
}

/** The value at `path` under `root`, or undefined where there is none. */
export function valueAt(root: unknown, path: KeyPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

/** Whether `value` is a map of keys, as a parser makes it. */
export function isMap(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
