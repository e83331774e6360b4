/** Nodes take turns, and a dead one costs one write a pause. @module */
import { assertEquals } from "@std/assert";
import { NodeTurns } from "../../../adapters/elasticsearch/nodes.ts";

const NONE: ReadonlySet<number> = new Set();

Deno.test("NodeTurns.take() gives each node its turn", () => {
  const turns = new NodeTurns(3);
  assertEquals(Array.from({ length: 5 }, () => turns.take(0, NONE)), [0, 1, 2, 0, 1]);
});

Deno.test("NodeTurns.failed() sets a node aside, longer each time, and one write tries it again", () => {
  const turns = new NodeTurns(2);
  let nowMs = 0;
  turns.failed(0, nowMs);
  for (const pauseMs of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    assertEquals([0, 0, 0].map(() => turns.take(nowMs + pauseMs - 1, NONE)), [1, 1, 1]);
    nowMs += pauseMs;
    const tries = Array.from({ length: 6 }, () => turns.take(nowMs, NONE));
    assertEquals(tries.filter((at) => at === 0).length, 1);
    turns.failed(0, nowMs);
  }
});

Deno.test("NodeTurns.failed() counts the writes that were under way as one failure", () => {
  const turns = new NodeTurns(2);
  for (let k = 0; k < 5; k++) turns.failed(0, k);
  assertEquals([turns.take(1000, NONE), turns.take(1000, NONE)].includes(0), true);
});

Deno.test("NodeTurns.answered() brings a node back", () => {
  const turns = new NodeTurns(2);
  turns.failed(0, 0);
  turns.answered(0);
  assertEquals([turns.take(1, NONE), turns.take(1, NONE)], [0, 1]);
});

Deno.test("NodeTurns.take() asks a node that is set aside where no other is left, and none twice", () => {
  const turns = new NodeTurns(2);
  turns.failed(0, 0);
  turns.failed(1, 500);
  assertEquals(turns.take(600, NONE), 0);
  assertEquals(turns.take(600, new Set([0])), 1);
  assertEquals(turns.take(600, new Set([0, 1])), -1);
});
