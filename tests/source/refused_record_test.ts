/** What a record that its stream does not take keeps in memory. @module */
import { assertEquals } from "@std/assert";
import { RefusedRecord } from "../../src/source/refused_record.ts";

Deno.test("RefusedRecord keeps its own bytes alone in memory, and not the answer that it was fetched with", () => {
  const answer = new TextEncoder().encode("key value and a million more");
  const record = new RefusedRecord({
    stream: "events",
    meta: {
      acceptedAtMs: 5,
      id: new TextEncoder().encode("orders-0-1"),
      key: answer.subarray(0, 3),
      headerCount: 0,
      headerBytes: new Uint8Array(0),
    },
    value: answer.subarray(4, 9),
    reason: "no JSON",
    done: () => {},
  });
  assertEquals(record.value().buffer.byteLength, 5);
  assertEquals(record.key()!.buffer.byteLength, 3);
  assertEquals(new TextDecoder().decode(record.value()), "value");
});
