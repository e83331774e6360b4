/** A reason is text, however short it is cut. @module */
import { assertEquals } from "@std/assert";
import { cutToBytes } from "../../src/ingress/websocket_close.ts";

Deno.test("cutToBytes() cuts between characters", () => {
  assertEquals(cutToBytes("abc", 3), "abc");
  assertEquals(cutToBytes("a€b", 3), "a");
  assertEquals(cutToBytes("a😀", 4), "a");
  assertEquals(cutToBytes("a😀", 5), "a😀");
});
