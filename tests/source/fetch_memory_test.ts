/** An answer counts until the last of its partitions is done with it. @module */
import { assertEquals } from "@std/assert";
import { FetchMemory } from "../../src/source/fetch_memory.ts";

Deno.test("FetchMemory.hold() counts an answer until all its partitions are done, and tells of room once", () => {
  let told = 0;
  const memory = new FetchMemory(() => told++);
  const release = memory.hold(32 * 1_048_576, 2);
  const other = memory.hold(1_048_576, 1);
  assertEquals(memory.hasRoom, false);
  other();
  release();
  assertEquals([memory.hasRoom, told], [false, 0]);
  release();
  assertEquals([memory.hasRoom, memory.heldBytes, told], [true, 0, 1]);
});
