/** The servers that tests start do start, and come back on their data. @module */
import { assertEquals } from "@std/assert";
import { askCluster, SearchIndex } from "../adapters/search_index.ts";
import { requires } from "../support/requirements.ts";
import { sharedOpenSearch, startOpenSearch } from "./opensearch.ts";

requires("javac", "mvn").test(
  "SearchNode.restart() brings a killed node back on its data and address",
  async () => {
    await using node = await startOpenSearch();
    const { version } = await askCluster(node.url, "GET", "/") as { version: { number: string } };
    assertEquals(version.number, "2.19.6");
    const index = await SearchIndex.create(node.url);
    await askCluster(node.url, "PUT", `/${index.name}/_doc/1`, { n: 1 });
    await node.kill();
    await node.restart();
    assertEquals((await index.documents()).map(({ _source }) => _source), [{ n: 1 }]);
  },
);

requires("searchCluster").test("sharedOpenSearch() gives all tests of a file the same cluster", async () => {
  assertEquals(await sharedOpenSearch(), await sharedOpenSearch());
});
