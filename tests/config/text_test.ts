/** Texts become data, or faults with line and column. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { formatOf, parseConfigText } from "../../src/config/text.ts";
import { faultsOf } from "./faults_of.ts";

const env = (name: string): string | undefined => name === "PORT" ? "9000" : undefined;

function textFaults(text: string, format: "yaml" | "json" = "yaml"): readonly string[] {
  return faultsOf(() => parseConfigText(text, { format, env, fileName: "weir.yaml" }));
}

Deno.test("parseConfigText() reads YAML and JSON alike", () => {
  const expected = { listen: { port: 1, hostname: "a9000" } };
  assertEquals(parseConfigText('listen: { port: 1, hostname: "a${PORT}" }', { env }), expected);
  assertEquals(
    parseConfigText('{"listen":{"port":1,"hostname":"a${PORT}"}}', { env, format: "json" }),
    expected,
  );
});

Deno.test("parseConfigText() takes an empty text as an empty config", () => {
  assertEquals(parseConfigText("# nothing yet\n", { env }), {});
});

Deno.test("parseConfigText() tells line and column of a syntax error", () => {
  assertStringIncludes(textFaults("a: 1\nb: [1\nc: 2\n")[0], "weir.yaml:3:1: ");
  assertStringIncludes(textFaults('{"a":\n 1,,}', "json")[0], "line 2 column 4");
});

Deno.test("parseConfigText() refuses keys that are there twice, unknown tags and several documents", () => {
  assertStringIncludes(textFaults("a: 1\na: 2\n")[0], "weir.yaml:2:1: Map keys must be unique");
  assertStringIncludes(textFaults("a: !secret b\n")[0], "weir.yaml:1:4: Unresolved tag");
  assertStringIncludes(textFaults("a: 1\n---\nb: 2\n")[0], "multiple documents");
});

Deno.test("parseConfigText() says that a reference inside braces is quoted", () => {
  assertStringIncludes(textFaults("listen: { port: ${PORT} }\n")[0], 'a reference is quoted: "${NAME}"');
});

Deno.test("parseConfigText() refuses what is no map, and an alias of what it stands in", () => {
  assertStringIncludes(textFaults("- a\n")[0], "must be a map of keys");
  assertStringIncludes(textFaults("a: &x [*x]\n")[0], "a[0]: must not contain itself");
});

Deno.test("formatOf() goes by the name's ending", () => {
  assertEquals([formatOf("a.json"), formatOf("A.JSON"), formatOf("a.yml"), formatOf("a")], [
    "json",
    "json",
    "yaml",
    "yaml",
  ]);
});
