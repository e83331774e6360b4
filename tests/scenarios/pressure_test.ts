/** What a sink that is slow, full or down does to its clients: blocked, shed, refused, told in time. @module */
import { assert, assertEquals } from "@std/assert";
import {
  allAcked,
  allRetryable,
  type Batch,
  NO_PRESSURE,
  Outcome,
  type WriteResult,
} from "../../src/sink/adapter.ts";
import { lines, never, Stage, type StageRequest, takes } from "./stage.ts";

const STREAM = { validate: "none", maxRecordBytes: 1000, maxBodyBytes: 20_000, maxWaitMs: 10 };
const BUFFERS = { segmentBytes: 4096, segments: 60, maxPerLane: 8 };
const PATIENT = { timeoutMs: 600_000, downAfterMs: 600_000 };

Deno.test("Gateway blocks a stream whose one sink is full, though the other one is well", async () => {
  await using stage = await Stage.open({
    buffers: BUFFERS,
    streams: { s: { ...STREAM, ack: "memory", sinks: ["still", "out"] } },
    sinks: { still: { type: "stage", ...PATIENT }, out: { type: "stage" } },
  }, { still: never });
  const statuses = [];
  for (let k = 0; k < 100; k++) {
    const request = stage.post("s", lines(50));
    await stage.run(20);
    statuses.push(request.status);
  }
  const taken = statuses.indexOf(429);
  assert(taken > 0, `some are taken first: ${taken}`);
  assert(statuses.slice(taken).every((status) => status === 429), "from then on all are refused");
  assertEquals(stage.stored.get("out")!.length, taken * 50, "what was taken is at the other sink");
});

Deno.test("Gateway sheds for a full sink that may shed, tells it, and goes on with the other one", async () => {
  await using stage = await Stage.open({
    buffers: BUFFERS,
    streams: { s: { ...STREAM, ack: "memory", sinks: ["still", "out"] } },
    sinks: { still: { type: "stage", whenFull: "shed", ...PATIENT }, out: { type: "stage" } },
  }, { still: never });
  const requests: StageRequest[] = [];
  for (let k = 0; k < 100; k++) {
    requests.push(stage.post("s", lines(5)));
    await stage.run(20);
  }
  assert(requests.every(({ status }) => status === 202), "none is refused");
  const shed = requests.filter(({ answer }) => answer.shed !== undefined);
  assert(shed.length > 50, `${shed.length} are told of shedding`);
  for (const { answer } of shed) assertEquals(answer.shed, { still: 5 });
  assertEquals(stage.stored.get("out")!.length, 500);
  const row = stage.gateway.view.snapshot().ledger.find(({ sink }) => sink === "still")!;
  assertEquals([row.shed, row.inFlight], [shed.length * 5, 500 - shed.length * 5]);
});

Deno.test("Gateway answers 504 when there is no outcome in time, and delivers nevertheless", async () => {
  await using stage = await Stage.open({
    buffers: BUFFERS,
    streams: { s: { ...STREAM, sinks: ["out"], deliverTimeoutMs: 500 } },
    sinks: { out: { type: "stage", ...PATIENT } },
  });
  stage.behave("out", (batch) => stage.after(800, () => allAcked(batch)));
  const request = stage.post("s", lines(3));
  await stage.run(499);
  assertEquals(request.status, 0);
  await stage.run(2);
  assertEquals([request.status, request.answer.accepted, request.answer.next], [504, 3, 3]);
  await stage.run(500);
  assertEquals(stage.stored.get("out")!.length, 3);
});

Deno.test("Gateway answers 503 while a sink that the ack waits for is down, and takes requests when it is back", async () => {
  await using stage = await Stage.open({
    buffers: BUFFERS,
    streams: { s: { ...STREAM, sinks: ["out"] }, m: { ...STREAM, sinks: ["out"], ack: "memory" } },
    sinks: { out: { type: "stage", downAfterMs: 1000, retry: { initialMs: 50, maxMs: 200 } } },
  }, { out: (batch) => allRetryable(batch, "not now") });
  const first = stage.post("s", lines(1));
  await stage.run(900);
  assertEquals(stage.post("s", lines(1)).status, 0, "not down yet");
  await stage.run(200);
  const refused = stage.post("s", lines(1));
  assertEquals(refused.status, 503);
  assert(refused.retryAfterSeconds >= 1 && refused.retryAfterSeconds <= 60);
  assertEquals(stage.post("m", lines(1)).status, 202, "an ack by memory does not wait for the sink");
  stage.behave("out", takes);
  await stage.run(300);
  assertEquals(first.status, 200);
  const later = stage.post("s", lines(1));
  await stage.run(10);
  assertEquals(later.status, 200);
});

Deno.test("Gateway takes requests again for a sink that is back, though it gave up all records while it was down", async () => {
  for (
    const away of [(batch: Batch) => allRetryable(batch, "not now"), () => Promise.reject(new Error("away"))]
  ) {
    await using stage = await Stage.open({
      buffers: BUFFERS,
      streams: { s: { ...STREAM, sinks: ["out"] } },
      sinks: {
        out: {
          type: "stage",
          deadLetter: "letters",
          downAfterMs: 1000,
          retry: { initialMs: 50, maxMs: 500, maxAttempts: 10 },
        },
        letters: { type: "stage" },
      },
    }, { out: away });
    let isBack = false;
    stage.check = (sink) => {
      if (sink === "out" && !isBack) throw new Error("away");
    };
    const first = stage.post("s", lines(3));
    await stage.run(10_000);
    const letters = stage.gateway.view.snapshot().ledger.find(({ sink }) => sink === "out")!.deadLettered;
    assertEquals([first.status, letters], [200, 3]);
    const state = () => stage.gateway.view.snapshot().sinks.find(({ name }) => name === "out")!.state;
    assertEquals([state(), stage.post("s", lines(1)).status], ["down", 503]);
    isBack = true;
    stage.behave("out", takes);
    await stage.run(500);
    const later = stage.post("s", lines(1));
    await stage.run(10);
    assertEquals([state(), later.status], ["up", 200]);
  }
});

Deno.test("Admission takes from the youngest body that is arriving, so that the oldest is finished", async () => {
  await using stage = await Stage.open({
    buffers: { segmentBytes: 4096, segments: 9 },
    streams: { s: { ...STREAM, sinks: ["out"], maxBodyBytes: 60_000, maxWaitMs: 1000 } },
    sinks: { out: { type: "stage" } },
  });
  const part = `${lines(30, 100)}\n`;
  const bodies = ["oldest", "middle", "youngest"].map(() => stage.begin("s"));
  for (const body of bodies) for (let k = 0; k < 2; k++) body.send(part);
  const [oldest, middle, youngest] = bodies;
  for (let k = 0; k < 10 && youngest.status === 0; k++) oldest.send(part);
  await stage.run(1);
  assertEquals([oldest.status, middle.status, youngest.status], [0, 0, 429], "the youngest gave back first");
  oldest.end();
  middle.end();
  await stage.run(50);
  assertEquals([oldest.status, middle.status], [200, 200]);
});

Deno.test("Gateway.stop() delivers what a sink takes, and tells how many acknowledged records one did not", async () => {
  await using stage = await Stage.open({
    buffers: BUFFERS,
    streams: {
      m: { ...STREAM, ack: "memory", sinks: ["slow", "still"] },
      d: { ...STREAM, sinks: ["slow"] },
    },
    sinks: { slow: { type: "stage" }, still: { type: "stage", ...PATIENT } },
  }, { still: never });
  stage.behave("slow", (batch) => stage.after(50, () => allAcked(batch)));
  const memory = stage.post("m", lines(7));
  const delivered = stage.post("d", lines(4));
  const { lostRecords } = await stage.stop();
  assertEquals([memory.status, delivered.status], [202, 200]);
  assertEquals(stage.stored.get("slow")!.length, 11);
  assertEquals(lostRecords, 7);
  assert(stage.clock.nowMs() >= 1000 && stage.clock.nowMs() < 1500, `within drainMs: ${stage.clock.nowMs()}`);
});

Deno.test("DeadLetter keeps what its sink has no room for: the lane waits, and no letter is lost", async () => {
  await using stage = await Stage.open({
    buffers: BUFFERS,
    streams: { s: { ...STREAM, sinks: ["strict"], deliverTimeoutMs: 60_000 } },
    sinks: { strict: { type: "stage", deadLetter: "letters" }, letters: { type: "stage", ...PATIENT } },
  }, { strict: (batch) => rejecting(batch), letters: never });
  const requests: StageRequest[] = [];
  for (let k = 0; k < 90; k++) {
    requests.push(stage.post("s", lines(100, 60)));
    await stage.run(20);
  }
  const taken = requests.filter(({ status }) => status === 0);
  assert(
    taken.length > 5 && taken.length < 90,
    `the stream fills up behind the dead letters: ${taken.length} taken`,
  );
  stage.behave("letters", takes);
  // What stood still settles when it is aborted.
  await stage.run(700_000);
  assertEquals(stage.stored.get("letters")!.length, taken.length * 100);
  const [lane] = stage.gateway.view.snapshot().ledger;
  assertEquals([lane.deadLettered, lane.inFlight], [taken.length * 100, 0]);
});

function rejecting(batch: Batch): WriteResult {
  return {
    kind: "written",
    outcomes: new Uint8Array(batch.count).fill(Outcome.REJECTED),
    pressure: NO_PRESSURE,
  };
}
