/** README.md says what the schemas and `weir check` say. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { builtInSinks } from "../../adapters/mod.ts";
import { loadConfig, planSegments, planTables } from "../../src/config.ts";
import { configTables, withTables } from "../support/print_config_tables.ts";
import { SINKS } from "./definitions.ts";

const REGENERATE = "run `deno run -A tests/support/print_config_tables.ts`";

Deno.test("configTables() prints one table a section, and the options of each kind of sink", () => {
  const tables = configTables(SINKS);
  const headings = tables.split("\n").filter((line) => line.startsWith("###"));
  assertEquals(headings, [
    "### `gateway`",
    "### `listen`",
    "### `admin`",
    "### `buffers`",
    "### `streams.NAME`",
    "### `sinks.NAME`",
    "### `sinks.NAME (file)`",
    "### `sinks.NAME (http)`",
    "### `sources.NAME`",
  ]);
  assertStringIncludes(tables, "| `port` | whole number | `8080` | Data port; 0 takes any free one |");
  assertStringIncludes(tables, "| `retry.maxMs` | whole number | `10000` | Longest pause |");
  assertStringIncludes(tables, "| `url` | string | **required** |");
});

Deno.test("withTables() replaces what stands between the markers, and refuses a text without them", () => {
  const readme = "a\n<!-- config:begin -->\nold\n<!-- config:end -->\nb\n";
  const expected = "a\n<!-- config:begin -->\n\nnew\n\n<!-- config:end -->\nb\n";
  assertEquals(withTables(readme, "new"), expected);
  assertEquals(withTables(expected, "new"), expected);
  assertEquals(withTables("a", "new"), null);
  assertEquals(withTables("<!-- config:end --><!-- config:begin -->", "new"), null);
});

Deno.test("README.md holds the tables that configTables() prints", async () => {
  const readme = await readIfThere(new URL("../../README.md", import.meta.url));
  if (readme === null) return;
  const fresh = withTables(readme, configTables()) ??
    "README.md must hold <!-- config:begin --> and <!-- config:end -->";
  // `deno fmt` aligns the columns of Markdown tables.
  const words = (text: string): string => text.replaceAll(/-{3,}/g, "---").replaceAll(/ +/g, " ");
  assertEquals(words(readme), words(fresh), `README.md is behind the schemas: ${REGENERATE}`);
});

Deno.test("README.md holds what weir check says of the segments of examples/backpressure.yaml", async () => {
  const readme = await readIfThere(new URL("../../README.md", import.meta.url));
  if (readme === null) return;
  const config = await loadConfig(new URL("../../examples/backpressure.yaml", import.meta.url).pathname, {
    env: () => undefined,
    readTextFile: Deno.readTextFile,
    loadModule: () => Promise.reject(new Error("it names none")),
    sinks: builtInSinks,
  });
  const tables = planTables(planSegments(config));
  assert(readme.includes(tables), `README.md, "Backpressure and limits", must hold:\n${tables}`);
});

async function readIfThere(url: URL): Promise<string | null> {
  try {
    return await Deno.readTextFile(url);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
