/**
 * From a file's text to plain data: YAML or JSON, with the environment put in. What the parser only warns of is an
 * error here, for a tag or a key that is passed over would be a setting that silently does nothing.
 *
 * @module
 */
import { LineCounter, parseDocument } from "yaml";
import { ConfigError } from "../core/errors.ts";
import { type Environment, interpolate } from "./interpolate.ts";
import { isMap } from "./key_path.ts";
import { shown } from "./redact.ts";

/** A config as it was written: no defaults, nothing checked. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** How {@linkcode parseConfigText} reads a text. */
export interface TextOptions {
  /** Syntax of the text; YAML when not given. */
  readonly format?: "yaml" | "json";
  /** The environment for `${NAME}`. */
  readonly env: Environment;
  /** Name of the file, for messages. */
  readonly fileName?: string;
}

/** The syntax of a file by its name: JSON for `.json`, else YAML. */
export function formatOf(path: string): "yaml" | "json" {
  return path.toLowerCase().endsWith(".json") ? "json" : "yaml";
}

/**
 * Parses `text`. An empty text is an empty config.
 *
 * @throws {ConfigError} on a syntax error (with line and column), a key that is there twice, or a reference to the
 * environment that cannot be resolved.
 */
export function parseConfigText(text: string, options: TextOptions): RawConfig {
  const { format = "yaml", env, fileName = "config" } = options;
  const tree = format === "json" ? parseJson(text, fileName) : parseYaml(text, fileName);
  if (tree === null) return {};
  if (!isMap(tree)) {
    throw new ConfigError([`${fileName}: must be a map of keys, but is ${shown("", tree)}`]);
  }
  const faults: string[] = [];
  const raw = interpolate(tree, env, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  return raw as RawConfig;
}

function parseYaml(text: string, fileName: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const faults = [...document.errors, ...document.warnings].map(({ message, pos }) => {
    const { line, col } = lineCounter.linePos(pos[0]);
    const lineText = text.split("\n")[line - 1] ?? "";
    const hint = /[{[].*\$\{/.test(lineText) ? '; inside { } and [ ], a reference is quoted: "${NAME}"' : "";
    return `${fileName}:${line}:${col}: ${message}${hint}`;
  });
  if (faults.length > 0) throw new ConfigError(faults);
  return document.toJS();
}

function parseJson(text: string, fileName: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ConfigError([`${fileName}: ${error.message}`]);
  }
}
