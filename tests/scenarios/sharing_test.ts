/** Shares of a sink, and what a stream feels of its neighbours' sinks. @module */
import { assert, assertEquals } from "@std/assert";
import { allAcked } from "../../src/sink/adapter.ts";
import { lines, never, Stage } from "./stage.ts";

const STREAM = { validate: "none", maxRecordBytes: 1000, maxBodyBytes: 20_000, maxWaitMs: 100_000 };
const BUFFERS = { segmentBytes: 4096, segments: 200 };

/** [weights of two streams, least and most share of the first] */
const WEIGHTS: readonly (readonly [number, number, number, number])[] = [
  [1, 1, 0.475, 0.525],
  [3, 1, 0.7125, 0.7875],
  [1, 9, 0.08, 0.12],
];

for (const [first, second, least, most] of WEIGHTS) {
  Deno.test(`Gateway gives streams of weights ${first} and ${second} their shares of a busy sink`, async () => {
    await using stage = await Stage.open({
      buffers: BUFFERS,
      streams: { a: { ...STREAM, sinks: ["out"] }, b: { ...STREAM, sinks: ["out"] } },
      sinks: { out: { type: "stage", weight: { a: first, b: second } } },
    });
    stage.behave("out", (batch) => stage.after(5, () => allAcked(batch)));
    // Each stream always has more than the sink can take.
    for (let turn = 0; turn < 20; turn++) {
      for (const stream of ["a", "b"]) for (let k = 0; k < 80; k++) stage.post(stream, lines(10));
      await stage.run(200);
    }
    const counted = stage.writes.filter(({ atMs }) => atMs > 500);
    const ofFirst = counted.filter(({ stream }) => stream === "a").reduce(
      (sum, { records }) => sum + records,
      0,
    );
    const all = counted.reduce((sum, { records }) => sum + records, 0);
    assert(all > 5000, `the sink was busy: ${all} records`);
    const share = ofFirst / all;
    assert(share >= least && share <= most, `share ${share} is not within ${least} and ${most}`);
  });
}

Deno.test("Gateway lets a stream fill up whose sink stands still, and serves the other one", async () => {
  await using stage = await Stage.open({
    buffers: BUFFERS,
    streams: {
      stuck: { ...STREAM, sinks: ["still"], maxWaitMs: 10, deliverTimeoutMs: 60_000 },
      free: { ...STREAM, sinks: ["out"] },
    },
    sinks: { still: { type: "stage", timeoutMs: 600_000, downAfterMs: 600_000 }, out: { type: "stage" } },
  }, { still: never });
  const stuck = [];
  for (let k = 0; k < 300; k++) {
    stuck.push(stage.post("stuck", lines(100)));
    const free = stage.post("free", lines(10));
    await stage.run(20);
    assertEquals(free.status, 200, `request ${k} of the free stream`);
    assert(free.answeredAtMs >= 0 && stage.clock.nowMs() - free.answeredAtMs >= 18, "and at once");
  }
  const refused = stuck.filter(({ status }) => status === 429);
  assert(refused.length > 100, `the stuck stream refuses: ${refused.length} times`);
  assert(refused.every(({ retryAfterSeconds }) => retryAfterSeconds >= 1 && retryAfterSeconds <= 60));
});

Deno.test("Gateway delivers everything over lanes without exclusive credits", async () => {
  await using stage = await Stage.open({
    buffers: { ...BUFFERS, exclusivePerLane: 0, floatingPerLane: 1 },
    streams: { a: { ...STREAM, sinks: ["x", "y"] }, b: { ...STREAM, sinks: ["x"] } },
    sinks: { x: { type: "stage", parallelism: 3 }, y: { type: "stage" } },
  });
  const requests = [];
  for (let k = 0; k < 50; k++) {
    requests.push(stage.post("a", lines(20)), stage.post("b", lines(20)));
    await stage.run(3);
  }
  await stage.run(100);
  assertEquals(new Set(requests.map(({ status }) => status)), new Set([200]));
  assertEquals(stage.stored.get("x")!.length, 2000);
  assertEquals(stage.stored.get("y")!.length, 1000);
});
