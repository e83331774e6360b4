/** The arithmetic of the benchmarks; no test holds a speed against a goal. @module */
import { assertEquals } from "@std/assert";
import { compare, median, type Side } from "./compare.ts";
import { passes, type Result } from "./row.ts";

function side(name: string, order: string[], works: number[]): Side {
  let turn = 0;
  return {
    measure(seconds) {
      order.push(name);
      return Promise.resolve({ work: works[turn++ % works.length], seconds, cpuSeconds: seconds / 2 });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

Deno.test("median() is the middle of an odd and the mean of an even number", () => {
  assertEquals(median([5, 1, 3]), 3);
  assertEquals(median([10, 2, 4, 1]), 3);
});

Deno.test("compare() warms both sides up, then turns the order with each pair", async () => {
  const order: string[] = [];
  await compare(side("S", order, [1]), side("Y", order, [1]), { slices: 4, sliceSeconds: 1 });
  assertEquals(order.join(""), "YSYS" + "SYYSSYYS");
});

Deno.test("compare() takes the median of the ratios of pairs", async () => {
  const subject = side("S", [], [9, 9, 80, 50, 10]);
  const yardstick = side("Y", [], [9, 9, 100, 100, 10]);
  const result = await compare(subject, yardstick, { slices: 3, sliceSeconds: 2 });
  assertEquals([result.ratio, result.min, result.max], [0.8, 0.5, 1]);
  assertEquals([result.perCpuRatio, result.subjectPerSecond, result.yardstickPerSecond], [0.8, 25, 50]);
});

Deno.test("passes() takes the goal's own direction, its value included", () => {
  const result = (kind: "atLeast" | "atMost", value: number): Result => ({
    name: "row",
    goal: { kind, value: 1, unit: "×" },
    value,
    min: 0,
    max: 0,
    samples: 1,
    detail: {},
  });
  assertEquals([0.9, 1, 1.1].map((value) => passes(result("atLeast", value))), [false, true, true]);
  assertEquals([0.9, 1, 1.1].map((value) => passes(result("atMost", value))), [true, true, false]);
});
