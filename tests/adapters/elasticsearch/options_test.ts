/** What is wrong with the options of the sink, in the sentences that a user reads. @module */
import { assertEquals } from "@std/assert";
import { builtInSinks } from "../../../adapters/mod.ts";
import { parseConfig } from "../../../src/config.ts";
import { faultsOf } from "../../config/faults_of.ts";

const SINK = { type: "elasticsearch", nodes: ["http://127.0.0.1:9200"], index: "logs" };

function faults(options: Readonly<Record<string, unknown>>): readonly string[] {
  return faultsOf(() =>
    parseConfig({
      streams: { logs: { sinks: ["search"] } },
      sinks: { search: { ...SINK, ...options } },
    }, builtInSinks)
  );
}

Deno.test("elasticsearch options name the rule for a node that is no address, whatever else it is", () => {
  assertEquals(faults({}), []);
  for (const node of ["127.0.0.1:9200", "localhost:9200", "search", "", "ftp://search:9200"]) {
    assertEquals(faults({ nodes: [node] }), [
      'sinks.search.nodes[0]: must be an http or https URL, as "http://127.0.0.1:9200", but is ' +
      JSON.stringify(node),
    ]);
  }
  assertEquals(faults({ nodes: [] }), ["sinks.search.nodes: must name at least one node, but is []"]);
});

Deno.test("elasticsearch options name the rule for a JSON pointer that is none", () => {
  assertEquals(faults({ id: "order" }), [
    'sinks.search.id: must be a JSON pointer that begins with "/", as "/user/id" (RFC 6901: ~0 for ~, ~1 for / ' +
    'inside a name), but is "order"',
  ]);
  assertEquals(faults({ routing: "" }).length, 1);
  assertEquals(
    faults({ index: { pointer: "kind", allow: ["a"] } })[0].split(":")[0],
    "sinks.search.index.pointer",
  );
});
