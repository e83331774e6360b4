/** The controller gives the numbers of Spark's estimator, and those of its suite. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { PidController } from "../../src/limit/pid_controller.ts";

/** A sample: when, records, ms of work, ms of waiting. */
type Row = readonly [atMs: number, records: number, processingMs: number, schedulingDelayMs: number];

function rates(pid: PidController, rows: readonly Row[]): (number | null)[] {
  return rows.map(([atMs, records, processingMs, schedulingDelayMs]) =>
    pid.sample({ atMs, records, processingMs, schedulingDelayMs })
  );
}

Deno.test("PidController.sample() follows the sink with Spark's weights, and takes off a fifth of what waits", () => {
  const pid = new PidController({ batchMs: 1000, minRate: 100 });
  assertEquals(
    rates(pid, [
      [1000, 1000, 1000, 0],
      [2000, 1000, 2000, 0],
      [3000, 1000, 2000, 1000],
      [4000, 1000, 500, 0],
      [5000, 1, 1000, 5000],
    ]),
    [null, 500, 400, 2000, 100],
  );
});

Deno.test("PidController.sample() says nothing the first time, and for the same time again", () => {
  const pid = new PidController({ batchMs: 20, minRate: 10, proportional: 1, integral: 0, derivative: 0 });
  assertEquals(rates(pid, [[0, 10, 10, 0], [10, 10, 10, 0], [10, 10, 10, 0], [9, 10, 10, 0]]), [
    null,
    1000,
    null,
    null,
  ]);
});

Deno.test("PidController.sample() says nothing without records or without time", () => {
  const pid = new PidController({ batchMs: 20, minRate: 10 });
  assertEquals(
    rates(pid, [[0, 10, 10, 0], [10, 0, 10, 0], [20, -50, 10, 0], [30, 10, 0, 0], [40, 10, -30, 0]]),
    [
      null,
      null,
      null,
      null,
      null,
    ],
  );
  assertEquals(pid.rate, 1000);
});

Deno.test("PidController.sample() stays at the lowest rate while batches wait for five times their length", () => {
  const pid = new PidController({ batchMs: 20, minRate: 5, proportional: 1, integral: 1 });
  const given = rates(pid, Array.from({ length: 50 }, (_, k) => [k * 20, 1, 20, 100] as const));
  assertEquals(new Set(given.slice(1)), new Set([5]));
});

Deno.test("PidController.sample() gives the sink's rate while nothing waits, whatever was before", () => {
  for (const weights of [{ integral: 0 }, { integral: 1 }, { integral: 0.2 }]) {
    const pid = new PidController({ batchMs: 20, minRate: 10, ...weights });
    const given = rates(pid, Array.from({ length: 50 }, (_, k) => [k * 20, (k + 1) * 20, 20, 0] as const));
    assertEquals(given, [null, ...Array.from({ length: 49 }, (_, k) => (k + 2) * 1000)]);
  }
});

Deno.test("PidController.sample() never goes below minRate, nor beyond what is a number", () => {
  const amount = fc.double({ min: 0, max: 1e6, noNaN: true });
  fc.assert(fc.property(
    fc.array(fc.record({ records: amount, processingMs: amount, schedulingDelayMs: amount }), {
      maxLength: 50,
    }),
    (samples) => {
      const pid = new PidController({ batchMs: 1000, minRate: 100 });
      samples.forEach((sample, k) => {
        const rate = pid.sample({ ...sample, atMs: k * 1000 });
        assert(rate === null || rate >= 100, `${rate}`);
      });
    },
  ));
});

Deno.test("PidController() refuses weights below 0, and a batch or a lowest rate that is not above 0", () => {
  for (
    const [options, why] of [
      [{ proportional: -1 }, "proportional must be at least 0, but is -1"],
      [{ integral: -0.1 }, "integral must be at least 0, but is -0.1"],
      [{ derivative: NaN }, "derivative must be at least 0, but is NaN"],
      [{ batchMs: 0 }, "batchMs must be above 0, but is 0"],
      [{ minRate: 0 }, "minRate must be above 0, but is 0"],
    ] as const
  ) assertThrows(() => new PidController({ batchMs: 1000, minRate: 100, ...options }), RangeError, why);
});
