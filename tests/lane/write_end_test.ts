/** What the end of a write says of load, by every shape that an adapter can return. @module */
import { assertEquals } from "@std/assert";
import { wasRefused, type WriteEnd } from "../../src/lane/write_end.ts";
import { NO_PRESSURE, Outcome, type Pressure, SATURATED } from "../../src/sink/adapter.ts";

const { ACKED, RETRYABLE, REJECTED } = Outcome;
const THROTTLE: Pressure = { kind: "throttle", delayMs: 1000 };

function written(outcomes: number[], pressure: Pressure): WriteEnd {
  return { kind: "result", result: { kind: "written", outcomes: new Uint8Array(outcomes), pressure } };
}

Deno.test("wasRefused() is true for saturation, an unknown outcome, and a throttle that leaves records to be sent again", () => {
  for (
    const end of [
      written([ACKED, RETRYABLE], SATURATED),
      written([ACKED, ACKED], SATURATED),
      written([ACKED, RETRYABLE], THROTTLE),
      { kind: "unknown", error: new Error("connection reset") },
      { kind: "result", result: { kind: "tooLarge", reason: "413", pressure: SATURATED } },
    ] as const
  ) assertEquals(wasRefused(end, 2), true, JSON.stringify(end));
});

Deno.test("wasRefused() is false for a write that was answered record by record, throttled or not", () => {
  for (
    const end of [
      written([ACKED, ACKED], NO_PRESSURE),
      written([ACKED, REJECTED], NO_PRESSURE),
      written([ACKED, ACKED], THROTTLE),
    ]
  ) assertEquals(wasRefused(end, 2), false, JSON.stringify(end));
});

Deno.test("wasRefused() is null for what tells nothing of load: a fault of the config, a batch too large, no result", () => {
  const broken = [undefined, null, 7, {}, { kind: "written" }, {
    kind: "written",
    outcomes: new Uint8Array(1),
  }];
  for (
    const end of [
      written([RETRYABLE, RETRYABLE], NO_PRESSURE),
      { kind: "result", result: { kind: "tooLarge", reason: "413", pressure: NO_PRESSURE } } as const,
      ...broken.map((result) => ({ kind: "result", result }) as unknown as WriteEnd),
    ]
  ) assertEquals(wasRefused(end, 2), null, JSON.stringify(end));
});
