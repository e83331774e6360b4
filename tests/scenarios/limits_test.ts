/** A static limit holds whatever happens behind it, and a throttle is obeyed. @module */
import { assert, assertEquals } from "@std/assert";
import { allAcked, allRetryable } from "../../src/sink/adapter.ts";
import { lines, Stage } from "./stage.ts";

const STREAM = { validate: "none", maxRecordBytes: 1000, maxBodyBytes: 20_000, maxWaitMs: 100_000 };
const BUFFERS = { segmentBytes: 4096, segments: 100 };
const SECONDS = 20;

/** What is sent at the least of what the limit allows, while there is always more to send. */
const LEAST_SHARE = 0.98;

/** [unit, rate per second, burst, one in how many writes fails] */
const LIMITS: readonly (readonly ["records" | "bytes", number, number, number])[] = [
  ["records", 100, 10, Infinity],
  ["records", 100, 10, 2],
  ["records", 37, 1, 3],
  ["records", 1000, 500, 2],
  ["bytes", 2000, 200, Infinity],
  ["bytes", 9000, 1000, 2],
];

for (const [unit, rate, burst, fails] of LIMITS) {
  Deno.test(`SinkGate lets ${rate} ${unit}/s pass, burst ${burst}, one write in ${fails} failing`, async () => {
    await using stage = await Stage.open({
      buffers: BUFFERS,
      streams: { s: { ...STREAM, sinks: ["out"], ack: "memory" } },
      sinks: {
        out: {
          type: "stage",
          order: "none",
          limit: unit === "records"
            ? { recordsPerSecond: rate, burstRecords: burst }
            : { bytesPerSecond: rate, burstBytes: burst },
          retry: { initialMs: 1, maxMs: 5 },
        },
      },
    });
    let n = 0;
    stage.behave("out", (batch) => ++n % fails === 0 ? allRetryable(batch, "not now") : allAcked(batch));
    for (let k = 0; k < SECONDS * 10; k++) {
      for (let each = 0; each < 15; each++) stage.post("s", lines(10));
      await stage.run(100);
    }
    const { writes } = stage;
    for (let from = 0; from < writes.length; from++) {
      let passed = 0;
      for (let to = from; to < writes.length; to++) {
        passed += writes[to][unit];
        const allowed = rate * (writes[to].atMs - writes[from].atMs) / 1000 + burst;
        assert(passed <= allowed + 1e-6, `${passed} ${unit} in a window that allows ${allowed}`);
      }
    }
    const sent = writes.reduce((sum, write) => sum + write[unit], 0);
    const due = rate * SECONDS + burst;
    assert(sent >= LEAST_SHARE * due, `${sent} ${unit} were sent of ${due} that the limit allows`);
  });
}

Deno.test("SinkGate starts no write while the sink's throttle runs, and counts its time", async () => {
  await using stage = await Stage.open({
    buffers: BUFFERS,
    streams: { s: { ...STREAM, sinks: ["out"], ack: "memory" } },
    sinks: { out: { type: "stage", writesInFlight: 4 } },
  }, { out: (batch) => allAcked(batch, { kind: "throttle", delayMs: 250 }) });
  for (let k = 0; k < 50; k++) stage.post("s", lines(10));
  await stage.run(2000);
  const starts = stage.writes.map(({ atMs }) => atMs);
  assert(starts.length >= 7, `it goes on: ${starts.length} writes`);
  // Writes that were in flight together when the first throttle came are none of its business.
  const later = starts.filter((atMs) => atMs > starts[0]);
  for (let k = 1; k < later.length; k++) {
    assert(
      later[k] === later[k - 1] || later[k] - later[k - 1] >= 250,
      `writes at ${later[k - 1]} and ${later[k]}`,
    );
  }
  const { throttleSecondsTotal } = stage.gateway.view.snapshot().sinks.find(({ name }) => name === "out")!;
  assert(throttleSecondsTotal >= 1.5 && throttleSecondsTotal <= 2.25, `${throttleSecondsTotal} s`);
  assertEquals(stage.gateway.view.snapshot().streams[0].acceptedRecords, 500);
});
