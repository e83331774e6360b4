/** Single steps of the controllers, with the numbers that their models have for them. @module */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { AimdController } from "../../src/limit/aimd_controller.ts";
import { ArcController } from "../../src/limit/arc_controller.ts";
import { createWriteController, WRITE_CONTROL_KINDS } from "../../src/limit/controllers.ts";
import { GradientController, gradientStep } from "../../src/limit/gradient_controller.ts";
import type { WriteController } from "../../src/limit/write_controller.ts";

const WIDE = { initial: 20, min: 1, max: 200 };

interface Round {
  latencyMs?: number;
  inFlight?: number;
  refused?: boolean;
}

/** The limits after windows of 1 s with ten writes each, of which the first begins with the window and the last ends it. */
function afterWindows(controller: WriteController, windows: readonly Round[], startMs = 0): number[] {
  return windows.map(({ latencyMs = 100, inFlight = controller.limit, refused = false }, k) => {
    const firstMs = startMs + k * 1000 + Math.min(latencyMs, 1000);
    for (let i = 0; i < 9; i++) controller.update({ endMs: firstMs, latencyMs, inFlight, refused });
    return controller.update({ endMs: startMs + (k + 1) * 1000, latencyMs, inFlight, refused });
  });
}

/** The limits after round trips of one write each, behind one that took 100 ms. */
function afterTrips(controller: WriteController, trips: readonly Round[]): number[] {
  controller.update({ endMs: 0, latencyMs: 100, inFlight: 1, refused: false });
  return trips.map(({ latencyMs = 100, inFlight = controller.limit, refused = false }, k) =>
    controller.update({ endMs: (k + 1) * 1000, latencyMs, inFlight, refused })
  );
}

Deno.test("AimdController.update() adds 1 where half the limit was in flight, and leaves int(0.9) of it on refusal", () => {
  const controller = new AimdController(WIDE);
  assertEquals(
    afterWindows(controller, [{}, { inFlight: 11 }, { inFlight: 10 }, { refused: true }, { refused: true }]),
    [21, 22, 22, 19, 17],
  );
});

Deno.test("AimdController.update() takes a latency over 5 s for a refusal", () => {
  assertEquals(afterWindows(new AimdController(WIDE), [{ latencyMs: 5001 }]), [18]);
  assertEquals(afterWindows(new AimdController(WIDE), [{ latencyMs: 5000 }]), [21]);
});

Deno.test("AimdController.update() waits for 1 s and 10 answers, but acts on one refusal after 1 s", () => {
  const controller = new AimdController(WIDE);
  const write = { latencyMs: 100, inFlight: 20, refused: false };
  for (let i = 0; i < 9; i++) assertEquals(controller.update({ endMs: 100 + i * 500, ...write }), 20);
  assertEquals(controller.update({ endMs: 5000, ...write }), 21);
  assertEquals(controller.update({ endMs: 5999, ...write, refused: true }), 21);
  assertEquals(controller.update({ endMs: 6000, ...write }), 18);
});

Deno.test("AimdController.update() leaves latencies under 100 µs out", () => {
  assertEquals(afterWindows(new AimdController(WIDE), [{ latencyMs: 0.09 }, { latencyMs: 0.1 }]), [20, 21]);
});

Deno.test("gradientStep() gives Gradient2's limits for 100 and a long latency of 10", () => {
  assertAlmostEquals(gradientStep(100, 10, 10), 100.8, 1e-9);
  assertAlmostEquals(gradientStep(100, 10, 20), 95.8, 1e-9);
  assertAlmostEquals(gradientStep(100, 10, 100), 90.8, 1e-9);
});

Deno.test("GradientController.update() grows by the queue of 4, smoothed by 0.2, and keeps fractions", () => {
  assertEquals(afterWindows(new GradientController(WIDE), [{}, {}, {}, {}, {}]), [20, 21, 22, 23, 24]);
});

Deno.test("GradientController.update() falls as latency rises over 1.5 times the long one", () => {
  const controller = new GradientController({ ...WIDE, initial: 100 });
  assertEquals(afterWindows(controller, Array(30).fill({ latencyMs: 10, inFlight: 1 })).at(-1), 100);
  // The long average takes a 300th part of the rise in: 95.85, where an unmoved one gives 95.8.
  assertEquals(afterWindows(controller, [{ latencyMs: 20 }], 30_000), [95]);
});

Deno.test("GradientController.update() keeps its limit while less than half of it is in flight", () => {
  assertEquals(afterWindows(new GradientController(WIDE), [{ inFlight: 9 }, { inFlight: 10 }, {}]), [
    20,
    20,
    21,
  ]);
});

Deno.test("GradientController.update() counts refusals, however fast they come", () => {
  assertEquals(
    afterWindows(new GradientController(WIDE), [
      { refused: true, latencyMs: 1 },
      { refused: true, latencyMs: 1 },
    ]),
    [18, 16],
  );
});

Deno.test("GradientController.update() lets a long latency that was too high give way", () => {
  const fallsAt400Ms = (windowsAt100Ms: number): boolean => {
    const controller = new GradientController({ ...WIDE, initial: 100, max: 100 });
    afterWindows(controller, Array(10).fill({ latencyMs: 1000 }));
    const quiet = Array(windowsAt100Ms).fill({ latencyMs: 100 });
    afterWindows(controller, quiet, 10_000);
    return afterWindows(controller, [{ latencyMs: 400 }], 10_000 + quiet.length * 1000)[0] < 100;
  };
  // Without giving way the long average is still over 800 ms after 60 windows of 100 ms.
  assertEquals([fallsAt400Ms(5), fallsAt400Ms(60)], [false, true]);
});

Deno.test("ArcController.update() adds 1 per round trip in which the limit was reached and latency held", () => {
  assertEquals(afterTrips(new ArcController(WIDE), [{}, {}, { inFlight: 21 }, {}]), [21, 22, 22, 23]);
});

Deno.test("ArcController.update() leaves floor(0.9) of the limit on refusal, and on latency beyond its spread", () => {
  assertEquals(afterTrips(new ArcController(WIDE), [{ refused: true }, { refused: true }]), [18, 16]);
  assertEquals(afterTrips(new ArcController(WIDE), [{ latencyMs: 101 }]), [18]);
});

Deno.test("ArcController.update() lets latency move within 2.5 deviations of the mean", () => {
  const after = (latencyMs: number): number =>
    // 100 and 110 are the first mean, 105: past mean 102, variance 0.6 × 5 × 2 = 6, 2.5 deviations 6.12 ms.
    afterTrips(new ArcController(WIDE), [{ latencyMs: 110, inFlight: 1 }, { latencyMs, inFlight: 1 }])[1];
  assertEquals([after(108.1), after(108.2)], [18, 16]);
});

Deno.test("ArcController.update() looks once per mean round trip", () => {
  const controller = new ArcController(WIDE);
  const write = { latencyMs: 100, inFlight: 20, refused: false };
  controller.update({ endMs: 100, ...write });
  assertEquals(controller.update({ endMs: 199, ...write }), 20);
  assertEquals(controller.update({ endMs: 200, ...write }), 21);
  assertEquals(controller.update({ endMs: 299, ...write, inFlight: 21, refused: true }), 21);
  assertEquals(controller.update({ endMs: 300, ...write, inFlight: 21 }), 18);
});

Deno.test("ArcController.update() takes the same latency neither for risen nor for a reason to fall, at the top too", () => {
  const controller = new ArcController({ initial: 20, min: 1, max: 20 });
  assertEquals(afterTrips(controller, [{ inFlight: 5 }, {}, { latencyMs: 100.0004 }]), [20, 20, 20]);
});

Deno.test("WriteController.limit stays whole and within its bounds whatever is sampled", () => {
  const sampleArb = fc.record({
    stepMs: fc.integer({ min: 0, max: 3000 }),
    latencyMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
    inFlight: fc.integer({ min: 1, max: 100 }),
    refused: fc.boolean(),
  });
  const boundsArb = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(20), fc.nat(20))
    .map(([min, more, most]) => ({ min, initial: min + more, max: min + more + most }));
  fc.assert(fc.property(
    fc.constantFrom(...WRITE_CONTROL_KINDS),
    boundsArb,
    fc.array(sampleArb, { maxLength: 200 }),
    (kind, bounds, samples) => {
      const controller = createWriteController({ kind, ...bounds });
      assertEquals(controller.limit, bounds.initial);
      let endMs = 0;
      for (const { stepMs, ...sample } of samples) {
        endMs += stepMs;
        const limit = controller.update({ endMs, ...sample });
        assertEquals([limit, Number.isSafeInteger(limit)], [controller.limit, true]);
        assertEquals(
          bounds.min <= limit && limit <= bounds.max,
          true,
          `${limit} of ${JSON.stringify(bounds)}`,
        );
        if (kind === "static") assertEquals(limit, bounds.initial);
      }
    },
  ));
});

Deno.test("createWriteController() refuses bounds that are out of order or no whole numbers", () => {
  for (const kind of WRITE_CONTROL_KINDS) {
    for (
      const [min, initial, max] of [[0, 1, 2], [2, 1, 3], [1, 4, 3], [1, 1.5, 2], [NaN, 1, 2], [
        1,
        1,
        Infinity,
      ]]
    ) {
      assertThrows(
        () => createWriteController({ kind, min, initial, max }),
        RangeError,
        `but are ${min}, ${initial} and ${max}`,
      );
    }
  }
});
