/** The servers that tests start do start, and come back on their data. @module */
import { assertEquals } from "@std/assert";
import { sharedOpenSearch } from "./opensearch.ts";

Deno.test("a", async () => {
  const url = await sharedOpenSearch();
  assertEquals((await (await fetch(url)).json()).version.number, "2.19.6");
});
Deno.test("b", async () => {
  const url = await sharedOpenSearch();
  assertEquals((await (await fetch(url)).json()).version.number, "2.19.6");
});
