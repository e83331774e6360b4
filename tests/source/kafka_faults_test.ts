/** What went wrong, out of nested errors. @module */
import { assertEquals } from "@std/assert";
import { Fault, isFault, reasonOf } from "../../src/source/kafka_faults.ts";

const inner = Object.assign(new Error("the member is not known"), { apiId: "UNKNOWN_MEMBER_ID" });
const outer = new AggregateError([inner], "heartbeat failed 1 times");

Deno.test("isFault() finds a fault that is wrapped in errors and causes", () => {
  assertEquals(isFault(new Error("outermost", { cause: outer }), Fault.UNKNOWN_MEMBER_ID), true);
  assertEquals(isFault(outer, Fault.OFFSET_OUT_OF_RANGE), false);
  assertEquals(isFault("no error at all", Fault.OFFSET_OUT_OF_RANGE), false);
});

Deno.test("reasonOf() says what the inner errors say, each once", () => {
  assertEquals(reasonOf(outer), "heartbeat failed 1 times: the member is not known");
  assertEquals(reasonOf(new Error("again", { cause: new Error("again") })), "again");
  const circular = new Error("round");
  circular.cause = circular;
  assertEquals(reasonOf(circular), "round");
});
