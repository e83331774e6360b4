/** A lane sends again what a sink refused for now: at its time and not before, through time that the test moves. @module */
import { assert, assertEquals } from "@std/assert";
import { allRetryable, type Batch } from "../../src/sink/adapter.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { lines, Stage, takes } from "./stage.ts";

const RETRY = { initialMs: 100, maxMs: 1_000 };
/** The longest waits before the tries that follow the first. */
const CEILINGS = [100, 200, 400, 800, 1_000, 1_000];

function openStage(random?: () => number): Promise<Stage> {
  return Stage.open(
    {
      buffers: { segmentBytes: 4096, segments: 100 },
      streams: { s: { sinks: ["out"], validate: "none", ack: "memory", maxRecordBytes: 1000 } },
      sinks: {
        out: {
          type: "stage",
          order: "none",
          writesInFlight: 4,
          control: { kind: "static", initial: 4 },
          retry: RETRY,
        },
      },
    },
    {},
    random,
  );
}

Deno.test("Lane tries a refused batch again after the doubled wait, to the cap, and never before", async () => {
  await using stage = await openStage();
  stage.behave("out", (batch) => allRetryable(batch, "not now"));
  stage.post("s", lines(3));
  await stage.run(3_000);
  let dueMs = 0;
  // The stage's chance is always one half: three quarters of the longest wait.
  const expected = [0, ...CEILINGS.map((ceiling) => dueMs += ceiling * 0.75)];
  assertEquals(stage.writes.map(({ atMs }) => atMs), expected);
  assertEquals(stage.writes.every(({ records }) => records === 3), true);
  stage.behave("out", takes);
  await stage.run(1_000);
  assertEquals(stage.stored.get("out")?.length, 3);
});

Deno.test("Lane tries batches that failed together again apart, each in the range of its own wait", async () => {
  await using stage = await openStage(seededRandom(11));
  const triedAtMs = new Map<string, number[]>();
  stage.behave("out", (batch: Batch) => {
    const name = new TextDecoder().decode(batch.value(0));
    triedAtMs.set(name, [...triedAtMs.get(name) ?? [], stage.clock.nowMs()]);
    return allRetryable(batch, "not now");
  });
  for (let k = 0; k < 4; k++) stage.post("s", Array(10).fill(`"batch ${k}"`).join("\n"));
  await stage.run(10_000);
  assertEquals(triedAtMs.size, 4);
  for (const [name, atMs] of triedAtMs) {
    assert(atMs.length >= 10, `${name} was tried ${atMs.length} times`);
    for (let k = 1; k < atMs.length; k++) {
      const [waitMs, mostMs] = [atMs[k] - atMs[k - 1], CEILINGS[k - 1] ?? RETRY.maxMs];
      assert(
        waitMs >= mostMs / 2 - 1e-6 && waitMs <= mostMs + 1e-6,
        `${name} was tried again after ${waitMs} ms, which is not ${mostMs / 2} to ${mostMs}`,
      );
    }
  }
  const second = [...triedAtMs.values()].map((atMs) => atMs[1]);
  assertEquals(new Set(second).size, 4, `tried again at ${second}`);
});
