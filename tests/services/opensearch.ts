/**
 * OpenSearch from its jars. Tests that need nothing special of it share {@linkcode sharedOpenSearch}.
 *
 * @module
 */
import { jarsOf } from "./maven.ts";
import { type NodeOptions, SearchNode } from "./search_node.ts";

const MAIN = new URL("./opensearch/Main.java", import.meta.url).pathname;

/** Starts a node on a free port and waits until it answers. */
export function startOpenSearch(options: NodeOptions = {}): Promise<SearchNode> {
  return SearchNode.start({
    name: "opensearch",
    prepare: async () => ["-Djava.security.manager=allow", "-cp", `${await jarsOf("opensearch")}/*`, MAIN],
  }, options);
}

let shared: Promise<string> | null = null;

/**
 * The address of a node that is there for tests that take indices of their own: `WEIR_TEST_OPENSEARCH` (a whole run of
 * the tests sets it), or one that lives as long as this test file.
 */
export function sharedOpenSearch(): Promise<string> {
  return shared ??= openShared();
}

async function openShared(): Promise<string> {
  const given = Deno.env.get("WEIR_TEST_OPENSEARCH");
  if (given !== undefined) return given.replace(/\/$/, "");
  const node = await startOpenSearch();
  globalThis.addEventListener("unload", () => node.abandon());
  return node.url;
}
