/** A blocked cluster is tried by one write at a time, ever more rarely. @module */
import { assertEquals } from "@std/assert";
import { BlockGate } from "../../../adapters/elasticsearch/block_gate.ts";

Deno.test("BlockGate.blocked() doubles the pause with each try, up to 30 s", () => {
  const gate = new BlockGate();
  const pauses: number[] = [];
  let nowMs = 0;
  for (let tries = 0; tries < 7; tries++) {
    assertEquals(gate.enter(nowMs), 0);
    pauses.push(gate.blocked(nowMs));
    nowMs += pauses.at(-1)!;
  }
  assertEquals(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

Deno.test("BlockGate.blocked() counts the writes that were under way as one refusal", () => {
  const gate = new BlockGate();
  assertEquals([gate.blocked(0), gate.blocked(100), gate.blocked(999)], [1000, 900, 1]);
});

Deno.test("BlockGate.enter() lets one write try, and the others wait for it", () => {
  const gate = new BlockGate();
  gate.blocked(0);
  assertEquals([gate.enter(400), gate.enter(1000), gate.enter(1000), gate.enter(1500)], [600, 0, 1000, 500]);
});

Deno.test("BlockGate.taken() opens it for all", () => {
  const gate = new BlockGate();
  gate.blocked(0);
  gate.taken();
  assertEquals([gate.enter(1), gate.enter(1)], [0, 0]);
  assertEquals(gate.blocked(2), 1000);
});
