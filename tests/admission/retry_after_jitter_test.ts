/**
 * `Retry-After` with the chance under the test's hand: whole seconds that are up to a fifth more than the wait itself, so
 * that those who were refused together come apart; at the end of the minute up to a fifth less, as there is no later.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { ReturnPromises } from "../../src/admission/return_promises.ts";
import { allAcked } from "../../src/sink/adapter.ts";
import { lines, Stage, type StageRequest } from "../scenarios/stage.ts";

const CHANCES = [0, 0.5, 1] as const;
const BUFFERS = { segmentBytes: 4096, segments: 64, exclusivePerLane: 1, floatingPerLane: 0, maxPerLane: 8 };
const STREAM = { sinks: ["out"], validate: "none", ack: "memory", maxRecordBytes: 4_000, maxWaitMs: 0 };

Deno.test("ReturnPromises.book() adds up to a fifth by chance, in whole seconds from 1 to 60", () => {
  for (
    const [hintMs, told] of [
      [1, [1, 1, 1]],
      [1_001, [2, 2, 2]],
      [3_000, [3, 3, 4]],
      [10_000, [10, 11, 12]],
      [30_000, [30, 33, 36]],
      [50_000, [50, 55, 60]],
      [60_000, [60, 54, 48]],
      [3_600_000, [60, 54, 48]],
    ] as const
  ) {
    const refusal = {
      needBytes: 1,
      bytesPerSecond: 1_000,
      stalledMs: 0,
      aheadBytes: 0,
      hintMs,
      again: false,
    };
    const booked = CHANCES.map((chance) => new ReturnPromises(() => chance).book(refusal, 0));
    assertEquals(booked, told, `after a hint of ${hintMs} ms`);
  }
});

/** The seconds that the first refused one of `posts` is told. */
async function toldSeconds(
  chance: number,
  { stream, posts }: { stream: Record<string, unknown>; posts: readonly string[] },
): Promise<number> {
  await using stage = await Stage.open(
    {
      buffers: BUFFERS,
      streams: { s: { ...STREAM, ...stream } },
      sinks: { out: { type: "stage" } },
    },
    { out: (batch) => allAcked(batch, { kind: "throttle", delayMs: 20_000 }) },
    () => chance,
  );
  let refused: StageRequest | undefined;
  for (const body of posts) {
    const request = stage.post("s", body);
    // Room that there is comes to be known within milliseconds; the throttle goes on for much longer.
    await stage.run(0);
    if (request.status === 429) {
      refused = request;
      break;
    }
  }
  return refused?.retryAfterSeconds ?? 0;
}

for (
  const [binds, plan, told] of [
    ["the quota", {
      stream: { limit: { recordsPerSecond: 1, burstRecords: 20 } },
      posts: [lines(19), lines(11)],
    }, [10, 11, 12]],
    ["a quota that has nearly the room", {
      stream: { limit: { recordsPerSecond: 1_000, burstRecords: 20 } },
      posts: [lines(20), lines(1)],
    }, [1, 1, 1]],
    ["the sink's own hint", {
      stream: {},
      posts: Array.from({ length: 100 }, () => lines(10, 2_000)),
    }, [20, 22, 24]],
  ] as const
) {
  Deno.test(`Gateway adds up to a fifth to Retry-After where ${binds} binds`, async () => {
    const seconds: number[] = [];
    for (const chance of CHANCES) seconds.push(await toldSeconds(chance, plan));
    assertEquals(seconds, told);
  });
}
