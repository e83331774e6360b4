/** Every example is a config that could be run, with nothing set in the environment. @module */
import { assertEquals } from "@std/assert";
import { builtInSinks } from "../adapters/mod.ts";
import { type Config, loadConfig, planSegments } from "../src/config.ts";

const FOLDER = new URL("../examples/", import.meta.url);

function load(name: string): Promise<Config> {
  return loadConfig(new URL(name, FOLDER).pathname, {
    env: () => undefined,
    readTextFile: Deno.readTextFile,
    loadModule: (url) => import(url),
    sinks: builtInSinks,
  });
}

const names = await Array.fromAsync(Deno.readDir(FOLDER), ({ name }) => name);
for (const name of [...names, "client/demo.yaml"].filter((name) => name.endsWith(".yaml"))) {
  Deno.test(`examples/${name} parses, and its segments fit`, async () => {
    planSegments(await load(name));
  });
}

Deno.test("examples/minimal.yaml means the same as the embedded default", async () => {
  const [minimal, embedded] = await Promise.all([
    load("minimal.yaml"),
    loadConfig(null, {
      env: () => undefined,
      readTextFile: Deno.readTextFile,
      loadModule: (url) => import(url),
      sinks: builtInSinks,
    }),
  ]);
  assertEquals(minimal, embedded);
});
