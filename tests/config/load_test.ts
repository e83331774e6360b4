/** Files and sink modules become a config, or a ConfigError that says which of them failed. @module */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { pathToFileURL } from "node:url";
import { type ConfigIo, loadConfig, moduleSinkTypes } from "../../src/config.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { SINKS, stdoutSink } from "./definitions.ts";

const FILES = new Map([
  [
    "/etc/weir/own.yaml",
    "streams: { s: { sinks: [a, b] } }\nsinks: { a: { type: ./my_sink.ts }, b: { type: ./my_sink.ts } }\n",
  ],
  ["conf/own.json", '{"streams": {"s": {"sinks": ["a"]}}, "sinks": {"a": {"type": "../lib/sink.ts"}}}'],
]);

function io(modules: Record<string, unknown> = {}): ConfigIo & { loaded: string[] } {
  const loaded: string[] = [];
  return {
    loaded,
    env: () => undefined,
    sinks: SINKS,
    readTextFile: (path) => {
      const text = FILES.get(path);
      return text === undefined ? Promise.reject(new Error("no such file")) : Promise.resolve(text);
    },
    loadModule: (url) => {
      loaded.push(url);
      return url in modules ? Promise.resolve(modules[url]) : Promise.reject(new Error("module not found"));
    },
  };
}

Deno.test("loadConfig() gives the embedded default for no path, and loads nothing", async () => {
  const outside = io();
  const config = await loadConfig(null, outside);
  assertEquals([...config.sinks.keys()], ["archive"]);
  assertEquals(outside.loaded, []);
});

Deno.test("loadConfig() loads a sink module once, from beside the config file, under the path as its type", async () => {
  const outside = io({ "file:///etc/weir/my_sink.ts": { default: stdoutSink } });
  const config = await loadConfig("/etc/weir/own.yaml", outside);
  assertEquals(outside.loaded, ["file:///etc/weir/my_sink.ts"]);
  assertEquals([...config.sinks.values()].map((sink) => sink.definition.type), [
    "./my_sink.ts",
    "./my_sink.ts",
  ]);
});

Deno.test("loadConfig() takes a relative config path from the working directory", async () => {
  const url = pathToFileURL(`${Deno.cwd()}/lib/sink.ts`).href;
  const outside = io({ [url]: { default: stdoutSink } });
  await loadConfig("conf/own.json", outside);
  assertEquals(outside.loaded, [url]);
});

Deno.test("loadConfig() names a file or module that cannot be read, and a module that is no sink", async () => {
  const missing = await assertRejects(() => loadConfig("nope.yaml", io()), ConfigError);
  assertEquals(missing.message, "Cannot read the config file nope.yaml: no such file");
  const broken = await assertRejects(() => loadConfig("/etc/weir/own.yaml", io()), ConfigError);
  assertEquals(broken.message, "Cannot load the sink module ./my_sink.ts: module not found");
  for (const module of [{}, { default: 5 }, { default: { ...stdoutSink, open: undefined } }]) {
    const outside = io({ "file:///etc/weir/my_sink.ts": module });
    const wrong = await assertRejects(() => loadConfig("/etc/weir/own.yaml", outside), ConfigError);
    assertStringIncludes(wrong.message, "must default-export defineSink(");
  }
});

Deno.test("moduleSinkTypes() lists paths once, and no names", () => {
  const types = ["./a.ts", "../b.ts", "/c.ts", "file:///d.ts", "stdout", "./a.ts", 5, null];
  const sinks = Object.fromEntries(types.map((type, i) => [`s${i}`, { type }]));
  assertEquals(moduleSinkTypes({ sinks }), ["./a.ts", "../b.ts", "/c.ts", "file:///d.ts"]);
  assertEquals(moduleSinkTypes({ sinks: "none" }), []);
});
