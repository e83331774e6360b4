/** A mutant whose place in the code is gone catches nothing, and would be noticed only at the next full run. @module */
import { assertEquals } from "@std/assert";
import { MUTANTS } from "./list.ts";

const TOP = new URL("../../", import.meta.url);

Deno.test("MUTANTS each name a place that the code holds exactly once, and a name of their own", async () => {
  const gone: string[] = [];
  for (const { name, file, from } of MUTANTS) {
    const source = await Deno.readTextFile(new URL(file, TOP));
    if (source.split(from).length !== 2) gone.push(`${name}: ${file}`);
  }
  assertEquals(gone, []);
  assertEquals(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
});
