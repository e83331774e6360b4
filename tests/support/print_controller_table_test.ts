/** The table of controllers in the README is what the scenarios give. @module */
import { assertEquals } from "@std/assert";
import { controllerTable, withControllerTable } from "./print_controller_table.ts";

const REGENERATE = "run `deno run -A tests/support/print_controller_table.ts`";

Deno.test("README.md holds the table that controllerTable() prints", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const fresh = withControllerTable(readme, controllerTable()) ?? "README.md must hold both markers";
  // `deno fmt` aligns the columns of Markdown tables.
  const words = (text: string): string => text.replaceAll(/-{3,}/g, "---").replaceAll(/ +/g, " ");
  assertEquals(words(readme), words(fresh), `README.md is behind the scenarios: ${REGENERATE}`);
});

Deno.test("withControllerTable() replaces what stands between the markers, and refuses a text without them", () => {
  const readme = "a\n<!-- controllers:begin -->\nold\n<!-- controllers:end -->\nb\n";
  const expected = "a\n<!-- controllers:begin -->\n\nnew\n\n<!-- controllers:end -->\nb\n";
  assertEquals(withControllerTable(readme, "new"), expected);
  assertEquals(withControllerTable("a", "new"), null);
});
