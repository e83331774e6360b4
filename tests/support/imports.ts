/**
 * The import rules of the source tree, as data and as one pure check. Stages talk to their neighbours only, and the
 * table says which those are: an arrow that nobody listed is how a pipeline turns into a knot.
 *
 * Types count as imports too: a stage that names another stage's types knows that stage.
 *
 * @module
 */
import { dirname, join, normalize } from "node:path/posix";

/** Stages that carry records; each may hold its own handle of `monitor`. */
const MEASURED = ["buffer", "partition", "channel", "lane", "admission", "ingress", "source"];

/**
 * Folder → folders that its files may import. An arrow to a folder includes those that the folder itself may import;
 * a file may always import its own folder.
 */
export const IMPORT_TABLE: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    core: [],
    buffer: ["core"],
    partition: ["buffer"],
    channel: ["buffer", "partition"],
    limit: ["core"],
    sink: ["core"],
    lane: ["channel", "limit", "sink", "partition", "buffer"],
    admission: ["buffer", "partition", "limit"],
    ingress: ["admission"],
    source: ["ingress", "lane"],
    monitor: ["core"],
    admin: ["monitor"],
    adapters: ["sink", "core"],
  }).map(([from, to]) => [from, MEASURED.includes(from) ? [...to, "monitor"] : to]),
);

/** Files that put stages together: `mod.ts`, and what stands directly in `src` or in `src/config`. */
const ROOT = "root";

/** A breach of the rules, as one sentence that begins with the path. */
export type Fault = string;

/** Specifiers that `source` imports or re-exports, in order; those in comments do not count. */
export function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const pattern = /(?:\bfrom\s*|^\s*import\s*|\bimport\s*\(\s*)"([^"\n]+)"/gm;
  return Array.from(code.matchAll(pattern), (match) => match[1]);
}

/** Whether the first comment of `source` is a doc comment that says `@module`. */
export function hasModuleHeader(source: string): boolean {
  const header = source.match(/^(?:#!.*\n)?\s*(\/\*\*[\s\S]*?\*\/)/);
  return header !== null && header[1].includes("@module");
}

/** The folder of the table that `path` (from the top level, with slashes) belongs to, or `root`, or `tests`. */
export function folderOf(path: string): string {
  const [top, next, ...rest] = path.split("/");
  if (top === "adapters" || top === "tests") return top;
  if (top === "src" && rest.length > 0 && next !== "config") return next;
  return ROOT;
}

/** All folders that `folder` reaches by the table, itself included; undefined when the table does not know it. */
export function reachableFrom(folder: string, table = IMPORT_TABLE): ReadonlySet<string> | undefined {
  if (!table.has(folder)) return undefined;
  const reached = new Set([folder]);
  for (const each of reached) for (const next of table.get(each) ?? []) reached.add(next);
  return reached;
}

/**
 * Checks `files` (path from the top level → source): the arrows of the table, cycles between files, and module
 * headers. Returns every breach, sorted; empty when all is well.
 */
export function layoutFaults(files: ReadonlyMap<string, string>, table = IMPORT_TABLE): Fault[] {
  const graph = new Map<string, string[]>();
  const faults: Fault[] = [];
  for (const [path, source] of files) {
    if (!hasModuleHeader(source)) faults.push(`${path}: must open with a doc comment that ends in @module`);
    const targets = importsOf(source).filter((specifier) => /^\.{1,2}\//.test(specifier))
      .map((specifier) => normalize(join(dirname(path), specifier)));
    graph.set(path, targets);
    for (const target of targets) faults.push(...arrowFaults(path, target, table));
  }
  return [...faults, ...cycleFaults(graph)].sort();
}

function arrowFaults(path: string, target: string, table: ReadonlyMap<string, readonly string[]>): Fault[] {
  const [from, to] = [folderOf(path), folderOf(target)];
  if (to === "tests") return [`${path}: must not import ${target}, as tests are no part of the product`];
  if (from === ROOT) return [];
  const reached = reachableFrom(from, table);
  if (!reached) return [`${path}: folder ${from} is not in the import table; add it with what it may import`];
  if (reached.has(to)) return [];
  return [`${path}: must not import ${target}, as ${from} may import ${[...reached].sort().join(", ")} only`];
}

/** One fault a cycle: depth first, a file that is met again while it is still open closes one. */
function cycleFaults(graph: ReadonlyMap<string, readonly string[]>): Fault[] {
  const faults: Fault[] = [];
  const open: string[] = [];
  const done = new Set<string>();
  const visit = (path: string): void => {
    if (done.has(path)) return;
    const start = open.indexOf(path);
    if (start >= 0) {
      faults.push(`${path}: imports itself by ${[...open.slice(start), path].join(" → ")}`);
      return;
    }
    open.push(path);
    for (const target of graph.get(path) ?? []) visit(target);
    open.pop();
    done.add(path);
  };
  for (const path of graph.keys()) visit(path);
  return faults;
}
