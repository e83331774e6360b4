/** What the schemas tell editors and readers. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describeConfig, jsonSchema } from "../../src/config.ts";
import { SINKS } from "./definitions.ts";

Deno.test("describeConfig() describes every key", () => {
  const rows = describeConfig(SINKS);
  assertEquals(rows.filter((row) => row.description === "" || row.type === "any").map((row) => row.path), []);
  assertEquals(new Set(rows.map((row) => row.path)).size, rows.length);
});

Deno.test("describeConfig() tells type and default of a key, also of one that gives way to its neighbour", () => {
  const rows = new Map(describeConfig(SINKS).map((row) => [row.path, [row.type, row.default]]));
  assertEquals(rows.get("listen.port"), ["whole number", "8080"]);
  assertEquals(rows.get("listen.headersTimeoutMs"), ["whole number", "10000"]);
  assertEquals(rows.get("streams.NAME.sinks"), ["list of strings", "required"]);
  assertEquals(rows.get("streams.NAME.ack"), ["memory, delivered", '"delivered"']);
  assertEquals(rows.get("streams.NAME.limit.burstBytes"), ["whole number", ""]);
  assertEquals(rows.get("sinks.NAME.control.initial"), ["whole number", "4"]);
  assertEquals(rows.get("sinks.NAME.weight"), ["whole number or map", "1"]);
  assertEquals(rows.get("sinks.NAME (http).url"), ["string", "required"]);
});

Deno.test("jsonSchema() holds every section, and per kind of sink its own and the common keys", () => {
  // deno-lint-ignore no-explicit-any -- a JSON Schema is walked here as plain data
  const schema = jsonSchema(SINKS) as any;
  assertEquals(Object.keys(schema.properties), [
    "gateway",
    "listen",
    "admin",
    "buffers",
    "streams",
    "sinks",
    "sources",
  ]);
  assertEquals(schema.required, ["streams", "sinks"]);
  assertEquals(schema.properties.streams.additionalProperties.required, ["sinks"]);
  const kinds = schema.properties.sinks.additionalProperties.oneOf;
  assertEquals(kinds.length, SINKS.length + 1);
  const [file] = kinds;
  assertEquals([file.properties.type, file.required, file.additionalProperties], [{ const: "file" }, [
    "type",
    "path",
  ], false]);
  for (const key of ["path", "limit", "retry"]) assert(key in file.properties, key);
  assertStringIncludes(kinds.at(-1).properties.type.pattern, "file:");
});
