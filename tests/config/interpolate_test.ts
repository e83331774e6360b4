/** References to the environment resolve, escape, or are told. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import * as fc from "fast-check";
import { interpolate } from "../../src/config/interpolate.ts";

const ENV = new Map([["HOST", "example.org"], ["EMPTY", ""], ["TRICKY", "a: b\n$& ${HOST} \"'"]]);

function interpolated(tree: unknown): { value: unknown; faults: string[] } {
  const faults: string[] = [];
  return { value: interpolate(tree, (name) => ENV.get(name), faults), faults };
}

Deno.test("interpolate() puts variables into strings at any depth, and leaves keys and other values alone", () => {
  const { value, faults } = interpolated({
    "${HOST}": [{ url: "http://${HOST}:${PORT:-80}/" }, 5, null, true],
  });
  assertEquals(value, { "${HOST}": [{ url: "http://example.org:80/" }, 5, null, true] });
  assertEquals(faults, []);
});

Deno.test("interpolate() takes the default for a variable that is not set or empty", () => {
  assertEquals(interpolated("${NONE:-a}|${EMPTY:-b}|${NONE:-}|${EMPTY}").value, "a|b||");
});

Deno.test("interpolate() reads neither references nor patterns in a value it put in", () => {
  assertEquals(interpolated("<${TRICKY}>").value, `<${ENV.get("TRICKY")}>`);
});

Deno.test("interpolate() names the variable and the path of each reference without value", () => {
  const { faults } = interpolated({ sinks: { es: { urls: ["${ES_URL}"] } } });
  assertEquals(faults, [
    "sinks.es.urls[0]: the environment variable ES_URL must be set, but is not; set it, or write ${ES_URL:-default}",
  ]);
});

Deno.test("interpolate() tells a reference that is not well formed", () => {
  for (const text of ["${}", "${1A}", "${A", "${A:x}", "${A-b}"]) {
    const { faults } = interpolated({ key: text });
    assertEquals(faults.length, 1, text);
    assertStringIncludes(faults[0], "key: a reference must read ${NAME} or ${NAME:-default}");
  }
});

Deno.test("interpolate() gives back any text in which $${ stands for each ${", () => {
  const unit = fc.constantFrom("$", "{", "}", "A", ":-", "${", "x");
  fc.assert(fc.property(fc.array(unit).map((units) => units.join("")), (text) => {
    // "$" before "${" would join its escape: "$$${" is an escape and a "$" in front, which is what was meant.
    const { value, faults } = interpolated(text.replaceAll("${", () => "$${"));
    assertEquals({ value, faults }, { value: text, faults: [] });
  }));
});

Deno.test("interpolate() tells a tree that contains itself", () => {
  const tree: unknown[] = [];
  tree.push(tree);
  assertStringIncludes(interpolated({ a: tree }).faults[0], "a[0]: must not contain itself");
});
