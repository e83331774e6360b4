/** Sources in the config: what they need, and what is wrong with others. @module */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { builtInSinks } from "../../adapters/mod.ts";
import { effectiveYaml, parseConfig, planSegments } from "../../src/config.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { permissionFlags } from "../../src/permissions.ts";

const SOURCE = {
  type: "kafka",
  brokers: ["kafka-1:9092"],
  topics: ["orders"],
  groupId: "weir",
  stream: "events",
};

function parse(source: Readonly<Record<string, unknown>>) {
  return parseConfig(
    {
      streams: { events: { sinks: ["out"] } },
      sinks: { out: { type: "memory" } },
      sources: { orders: source },
    },
    builtInSinks,
    { hostname: () => "here" },
  );
}

function faultsOf(source: Readonly<Record<string, unknown>>): string {
  return assertThrows(() => parse(source), ConfigError).faults.join("\n");
}

Deno.test("parseConfig() gives a source every default, and none where none is named", () => {
  const { type: _, ...rest } = SOURCE;
  assertEquals(parse(SOURCE).sources.get("orders"), {
    ...rest,
    type: "kafka",
    name: "orders",
    isolation: "read_committed",
    startAt: "earliest",
    clientId: "weir",
    fetchBytes: 1_048_576,
    maxWaitMs: 250,
    commitMs: 500,
    requestTimeoutMs: 30_000,
    tls: null,
    sasl: null,
  });
  const config = parseConfig(
    { streams: { s: { sinks: ["m"] } }, sinks: { m: { type: "memory" } } },
    builtInSinks,
  );
  assertEquals(config.sources.size, 0);
});

Deno.test("parseConfig() tells each fault of a source with its path", () => {
  assertStringIncludes(
    faultsOf({ ...SOURCE, stream: "event" }),
    "sources.orders.stream: must be the name of a stream",
  );
  assertStringIncludes(faultsOf({ ...SOURCE, stream: "event" }), 'the nearest is "events"');
  assertStringIncludes(faultsOf({ ...SOURCE, topic: "orders" }), "sources.orders.topic");
  assertStringIncludes(faultsOf({ ...SOURCE, brokers: ["kafka-1"] }), "must be host:port");
  assertStringIncludes(faultsOf({ ...SOURCE, topics: ["a b"] }), "sources.orders.topics");
  for (const topic of [".", ".."]) {
    assertStringIncludes(faultsOf({ ...SOURCE, topics: [topic] }), "sources.orders.topics");
  }
  assertStringIncludes(
    faultsOf({ ...SOURCE, tls: { cert: "cert.pem" } }),
    "must hold cert and key, or neither",
  );
});

Deno.test("effectiveYaml() shows a source without its password", () => {
  const sasl = { mechanism: "plain", username: "weir", password: "swordfish" };
  const config = parse({ ...SOURCE, sasl });
  const yaml = effectiveYaml(config, planSegments(config));
  assertStringIncludes(yaml, "groupId: weir");
  assertEquals(yaml.includes("swordfish"), false);
});

Deno.test("permissionFlags() allow a source its brokers and its files", () => {
  const origin = { path: null, env: [], sys: [], home: "/weir" };
  const flags = permissionFlags(parse({ ...SOURCE, tls: { ca: "/etc/kafka/ca.pem" } }), origin).join("\n");
  assertStringIncludes(flags, "kafka-1:9092");
  assertStringIncludes(flags, "/etc/kafka/ca.pem");
});
