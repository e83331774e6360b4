/**
 * `${NAME}` and `${NAME:-default}` in strings, from the environment. They are put in after the file is parsed, never
 * into its text, so a value with quotes, colons or line breaks cannot change the shape of the config.
 *
 * The environment only has strings; where a number is wanted, `read.ts` reads a string that looks like one.
 *
 * @module
 */
import { type KeyPath, pathText } from "./key_path.ts";

/** Looks up one variable of the environment. */
export type Environment = (name: string) => string | undefined;

/** `$${` first, so that an escaped reference is never read as one. */
const TOKEN = /\$\$\{|\$\{([^}]*)\}?/g;
const REFERENCE = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}$/;

/**
 * A copy of `tree` (what a YAML or JSON parser gave) with every string interpolated; keys are left alone. Each
 * reference that cannot be resolved adds a sentence to `faults`. As in a shell, `:-` also stands in for an empty value.
 */
export function interpolate(tree: unknown, env: Environment, faults: string[]): unknown {
  return interpolateAt(tree, [], [], env, faults);
}

function interpolateAt(
  node: unknown,
  path: KeyPath,
  ancestors: readonly unknown[],
  env: Environment,
  faults: string[],
): unknown {
  if (typeof node === "string") return interpolateText(node, path, env, faults);
  if (typeof node !== "object" || node === null) return node;
  // A YAML alias may stand inside its own anchor: `a: &x [*x]`.
  if (ancestors.includes(node)) {
    faults.push(`${pathText(path)}: must not contain itself, but is an alias of what it stands in`);
    return null;
  }
  const inside = [...ancestors, node];
  if (Array.isArray(node)) {
    return node.map((item, i) => interpolateAt(item, [...path, i], inside, env, faults));
  }
  return Object.fromEntries(
    Object.entries(node).map((
      [key, value],
    ) => [key, interpolateAt(value, [...path, key], inside, env, faults)]),
  );
}

function interpolateText(text: string, path: KeyPath, env: Environment, faults: string[]): string {
  return text.replaceAll(TOKEN, (token) => {
    if (token === "$${") return "${";
    const match = REFERENCE.exec(token);
    if (match === null) {
      faults.push(
        `${pathText(path)}: a reference must read \${NAME} or \${NAME:-default}, but is ${
          JSON.stringify(token)
        }; ` +
          `write $\${ for the characters themselves`,
      );
      return "";
    }
    const [, name, fallback] = match;
    const value = env(name);
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value === undefined) {
      faults.push(
        `${pathText(path)}: the environment variable ${name} must be set, but is not; ` +
          `set it, or write \${${name}:-default}`,
      );
      return "";
    }
    return value;
  });
}
