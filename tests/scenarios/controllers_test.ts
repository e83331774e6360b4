/** The controllers of writes in flight in a whole gateway: they find what a sink takes, and are back after it had refused. @module */
import { assert, assertEquals } from "@std/assert";
import type { SinkSnapshot } from "../../src/monitor/view.ts";
import { allAcked, allRetryable, type Batch, NO_PRESSURE, type WriteResult } from "../../src/sink/adapter.ts";
import { lines, Stage } from "./stage.ts";

/** A gateway whose sink `out` is controlled by `control`. */
function open(control: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<Stage> {
  return Stage.open({
    buffers: { segmentBytes: 4096, segments: 200 },
    streams: {
      s: {
        validate: "none",
        maxRecordBytes: 1000,
        maxBodyBytes: 20_000,
        maxWaitMs: 1,
        sinks: ["out"],
        ack: "memory",
      },
    },
    sinks: {
      out: {
        type: "stage",
        writesInFlight: 32,
        order: "none",
        retry: { initialMs: 50, maxMs: 500 },
        control,
        ...more,
      },
    },
  });
}

function sinkOf(stage: Stage): SinkSnapshot {
  return stage.gateway.view.snapshot().sinks.find(({ name }) => name === "out")!;
}

/** Brings 1,000 records/s for `ms`. */
async function bring(stage: Stage, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    for (let each = 0; each < 10; each++) stage.post("s", lines(10));
    await stage.run(100);
  }
}

for (const kind of ["aimd", "arc", "gradient"]) {
  Deno.test(`SinkGate.inFlightLimit by ${kind} finds the 8 writes that a sink takes, and is back at 95 % after 10 s of refusals`, async () => {
    await using stage = await open({ kind, initial: 1 });
    let places = 8;
    let writing = 0;
    const write = (batch: Batch): WriteResult | Promise<WriteResult> => {
      if (writing >= places) return stage.after(10, () => allRetryable(batch, "full"));
      writing++;
      return stage.after(100, () => {
        writing--;
        return allAcked(batch);
      });
    };
    stage.behave("out", write);
    await bring(stage, 20_000);
    places = 0;
    await bring(stage, 10_000);
    const lowest = sinkOf(stage).inFlightLimit!;
    assert(lowest >= 1 && lowest <= 4, `the limit is ${lowest} after refusals`);
    places = 8;
    await bring(stage, 15_000);
    const before = sinkOf(stage);
    await bring(stage, 10_000);
    const after = sinkOf(stage);
    assertEquals(
      [after.controller, after.inFlightLimit! <= 10],
      [kind, true],
      `limit ${after.inFlightLimit}`,
    );
    const share = (after.deliveredRecords - before.deliveredRecords) / 8000;
    assert(share >= 0.95, `${share} of the sink's 800 records/s`);
    await stage.run(10_000);
    const { acceptedRecords } = stage.gateway.view.snapshot().streams[0];
    assertEquals(sinkOf(stage).deliveredRecords, acceptedRecords);
  });
}

Deno.test("SinkWriter takes a write that timed out for a refusal, and no error of the config for either", async () => {
  await using stage = await open({ kind: "aimd", initial: 3 }, { timeoutMs: 1000 });
  const limitAfter = async (result: (batch: Batch) => WriteResult): Promise<number> => {
    stage.behave("out", (batch) => stage.after(100, () => result(batch)));
    await bring(stage, 3000);
    return sinkOf(stage).inFlightLimit!;
  };
  const learned = await limitAfter((batch) => allAcked(batch));
  assert(learned > 3, `${learned} after answers`);
  assertEquals(await limitAfter((batch) => allRetryable(batch, "wrong password", NO_PRESSURE)), learned);
  // Stored all the same, as some sinks do: too late is too late.
  stage.behave(
    "out",
    (batch, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve(allAcked(batch)))),
  );
  await bring(stage, 5000);
  const timedOut = sinkOf(stage).inFlightLimit!;
  assert(timedOut < learned, `${timedOut} after timeouts`);
  assert(sinkOf(stage).refusedWrites > 0);
});

Deno.test("SinkGate.inFlightLimit rises no higher than all writers together can have in flight", async () => {
  await using stage = await open({ kind: "arc" }, { writesInFlight: 3, parallelism: 2 });
  stage.behave("out", (batch) => stage.after(10, () => allAcked(batch)));
  assertEquals(sinkOf(stage).inFlightLimit, 4);
  await bring(stage, 10_000);
  const limit = sinkOf(stage).inFlightLimit!;
  assert(limit > 4 && limit <= 6, `the limit is ${limit}`);
});

Deno.test("SinkGate.rest() lets a sink that refuses at once have no more writes per first pause than there are places", async () => {
  await using stage = await open({ kind: "static", initial: 4 }, {
    retry: { initialMs: 100, maxMs: 60_000 },
  });
  stage.behave("out", (batch) => stage.after(1, () => allRetryable(batch, "full")));
  const startMs = stage.clock.nowMs();
  await bring(stage, 2000);
  const perPause = new Map<number, number>();
  for (const { atMs } of stage.writes) {
    const pause = Math.floor((atMs - startMs) / 75);
    perPause.set(pause, (perPause.get(pause) ?? 0) + 1);
  }
  const counts = [...perPause.values()];
  assert(counts.length > 20, "the sink is tried all the time");
  assert(Math.max(...counts) <= 4, `${counts} writes per pause of 75 ms`);
});

Deno.test("SinkGate.rest() frees the place of a refused write for others long before the write is tried again", async () => {
  await using stage = await open({ kind: "static", initial: 1 }, {
    retry: { initialMs: 100, maxMs: 60_000 },
  });
  stage.behave("out", (batch) => stage.after(1, () => allRetryable(batch, "full")));
  stage.post("s", lines(10));
  await stage.run(5000);
  stage.behave("out", (batch) => allAcked(batch));
  const writesBefore = stage.writes.length;
  stage.post("s", lines(3));
  await stage.run(1);
  assertEquals(stage.writes.slice(writesBefore).map(({ records }) => records), [3]);
});
