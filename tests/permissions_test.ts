/** What a config needs of the machine, and nothing else. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { builtInSinks } from "../adapters/mod.ts";
import { parseConfig } from "../src/config.ts";
import { type ConfigOrigin, permissionFlags } from "../src/permissions.ts";

const ORIGIN: ConfigOrigin = { path: "conf/weir.yaml", env: ["TOKEN"], sys: [], home: "/weir" };

function flagsOf(config: Record<string, unknown>, origin: ConfigOrigin = ORIGIN): Record<string, string[]> {
  const raw = { gateway: { id: "g", dataDir: "data" }, ...config };
  const flags = permissionFlags(parseConfig(raw, builtInSinks), origin);
  return Object.fromEntries(flags.map((flag) => {
    const [name, values] = flag.split("=");
    return [name.slice("--allow-".length), values.replaceAll(",,", "\0").split(",")];
  }));
}

const streams = (...sinks: string[]) => ({ s: { sinks } });

Deno.test("permissionFlags() names both ports, the data folder and the config file", () => {
  const flags = flagsOf({ streams: streams("m"), sinks: { m: { type: "memory" } } });
  assertEquals(flags.net, ["127.0.0.1:8080", "127.0.0.1:8081"]);
  assertEquals(flags.read, ["data", "conf/weir.yaml"]);
  assertEquals(flags.write, ["data"]);
  assertEquals(flags.env.at(-1), "TOKEN");
  assertEquals(flags.sys, undefined);
});

Deno.test("permissionFlags() adds the folders and hosts of the sinks, what lies in another folder left out", () => {
  const flags = flagsOf({
    streams: streams("here", "there", "web", "tls"),
    sinks: {
      here: { type: "file", path: "data/archive/a.ndjson" },
      there: { type: "file", path: "/var/log/weir/a.ndjson" },
      web: { type: "http", url: "http://collector.internal:9000/in" },
      tls: { type: "http", url: "https://collector.internal/in" },
    },
  });
  assertEquals(flags.write, ["data", "/var/log/weir"]);
  assertEquals(flags.net.slice(2), ["collector.internal:9000", "collector.internal:443"]);
});

Deno.test("permissionFlags() gives a free port the whole host, brackets IPv6, and doubles commas", () => {
  const flags = flagsOf({
    listen: { hostname: "::1", port: 8080 },
    admin: { port: 0 },
    gateway: { id: "g", dataDir: "a,b" },
    streams: streams("m"),
    sinks: { m: { type: "memory" } },
  });
  assertEquals(flags.net, ["[::1]:8080", "127.0.0.1"]);
  assertEquals(flags.write, ["a\0b"]);
});

Deno.test("permissionFlags() lets the module of a sink read its folder and the gateway's code", () => {
  const type = "../sinks/mine.ts";
  const definition = { ...builtInSinks.find((sink) => sink.type === "memory")!, type };
  const config = parseConfig({ gateway: { id: "g" }, streams: streams("m"), sinks: { m: { type } } }, [
    definition,
  ]);
  const read = permissionFlags(config, { ...ORIGIN, path: "/etc/weir/weir.yaml" })
    .find((flag) => flag.startsWith("--allow-read"))!;
  assertStringIncludes(read, "/etc/sinks,/weir");
});
