/** The import rules hold for the whole tree, and the check itself can go red. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { hasModuleHeader, importsOf, layoutFaults } from "./support/imports.ts";

const TOP = new URL("../", import.meta.url);
const HEADER = "/** Why. @module */\n";

async function readTree(folder: string, files: Map<string, string>): Promise<void> {
  for await (const entry of Deno.readDir(new URL(folder, TOP))) {
    if (entry.isDirectory) await readTree(`${folder}${entry.name}/`, files);
    else if (entry.name.endsWith(".ts")) {
      files.set(folder + entry.name, await Deno.readTextFile(new URL(folder + entry.name, TOP)));
    }
  }
}

function faultsOf(files: Record<string, string>): string[] {
  return layoutFaults(new Map(Object.entries(files).map(([path, code]) => [path, HEADER + code])));
}

Deno.test("layoutFaults() finds nothing in src, adapters and mod.ts", async () => {
  const files = new Map<string, string>();
  await readTree("src/", files);
  await readTree("adapters/", files);
  files.set("mod.ts", await Deno.readTextFile(new URL("mod.ts", TOP)));
  assertEquals(layoutFaults(files), []);
});

Deno.test("layoutFaults() names an arrow that the table does not list", () => {
  const [fault] = faultsOf({ "src/buffer/pool.ts": `import { Lane } from "../lane/lane.ts";` });
  assertStringIncludes(fault, "src/buffer/pool.ts: must not import src/lane/lane.ts");
});

Deno.test("layoutFaults() counts types, re-exports, bare and dynamic imports as arrows", () => {
  for (
    const code of [
      `import type { Lane } from "../lane/lane.ts";`,
      `export * from "../lane/lane.ts";`,
      `import "../lane/lane.ts";`,
      `const lane = await import("../lane/lane.ts");`,
      `import {\n  Lane,\n} from "../lane/lane.ts";`,
    ]
  ) assertEquals(faultsOf({ "src/core/clock.ts": code }).length, 1, code);
});

Deno.test("layoutFaults() lets an arrow reach what its target may import, and roots reach all", () => {
  assertEquals(
    faultsOf({
      "src/ingress/app.ts": `import { Segment } from "../buffer/segment.ts";`,
      "src/lane/lane.ts": `import { TaskTime } from "../monitor/task_time.ts";`,
      "src/gateway.ts": `import { sinks } from "../adapters/mod.ts";`,
      "src/config/schema.ts": `import { planSegments } from "../lane/plan.ts";`,
      "adapters/file/rotation.ts": `import { Batch } from "../../src/sink/adapter.ts";`,
    }),
    [],
  );
});

Deno.test("layoutFaults() keeps adapters to the sink contract, and stages away from roots and tests", () => {
  const faults = faultsOf({
    "adapters/file.ts": `import { Lane } from "../src/lane/lane.ts";`,
    "src/lane/lane.ts": `import { Gateway } from "../gateway.ts";`,
    "src/gateway.ts": `import { ManualClock } from "../tests/support/manual_clock.ts";`,
    "src/spool/spool.ts": `import { Segment } from "../buffer/segment.ts";`,
  });
  assertEquals(faults.length, 4);
  assertStringIncludes(faults[3], "folder spool is not in the import table");
});

Deno.test("layoutFaults() tells a cycle between files with its way round", () => {
  const faults = faultsOf({
    "src/lane/lane.ts": `import "./retry.ts";`,
    "src/lane/retry.ts": `import type { Batch } from "./batcher.ts";`,
    "src/lane/batcher.ts": `import "./lane.ts";`,
  });
  assertEquals(faults, [
    "src/lane/lane.ts: imports itself by src/lane/lane.ts → src/lane/retry.ts → src/lane/batcher.ts → src/lane/lane.ts",
  ]);
});

Deno.test("importsOf() leaves out what stands in comments", () => {
  assertEquals(
    importsOf(
      `/** import { a } from "./a.ts"; */\n// from "./b.ts"\nimport { c } from "./c.ts"; // from here`,
    ),
    ["./c.ts"],
  );
});

Deno.test("hasModuleHeader() wants @module in the first comment", () => {
  assertEquals(hasModuleHeader("/** Why.\n * @module\n */\n"), true);
  assertEquals(hasModuleHeader("/** Why. */\n/** @module */\n"), false);
  assertEquals(hasModuleHeader("import x from 'y';\n/** @module */\n"), false);
});
