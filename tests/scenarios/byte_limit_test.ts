/** A limit in bytes holds for what a sink's adapter says that it writes, not for the values alone. @module */
import { assert } from "@std/assert";
import { allAcked } from "../../src/sink/adapter.ts";
import { lines, Stage } from "./stage.ts";

const STREAM = { validate: "none", maxRecordBytes: 1000, maxBodyBytes: 20_000, maxWaitMs: 100_000 };
const BUFFERS = { segmentBytes: 4096, segments: 100 };
const SECONDS = 20;
const VALUE_BYTES = 20;
const bytesPerSecond = 10_000;
const burstBytes = 3_000;

/** Bytes of records that differ, and take some times what their values have. */
const framed = (i: number) => 200 + i * 7;

/** Sends more than the limit lets pass, and holds every window of writes to it. */
async function holdLimit(stage: Stage, writes: readonly { atMs: number; bytes: number }[]): Promise<void> {
  for (let k = 0; k < SECONDS * 10; k++) {
    for (let each = 0; each < 8; each++) stage.post("s", lines(10, VALUE_BYTES));
    await stage.run(100);
  }
  for (let from = 0; from < writes.length; from++) {
    let bytes = 0;
    for (let to = from; to < writes.length; to++) {
      bytes += writes[to].bytes;
      const allowed = bytesPerSecond * (writes[to].atMs - writes[from].atMs) / 1000 + burstBytes;
      assert(bytes <= allowed + 1e-6, `${bytes} bytes in a window that allows ${allowed}`);
    }
  }
  const sent = writes.reduce((sum, { bytes }) => sum + bytes, 0);
  const due = bytesPerSecond * SECONDS;
  assert(sent >= 0.98 * due, `${sent} bytes were sent of ${due} that the limit allows`);
}

function open(): Promise<Stage> {
  return Stage.open({
    buffers: BUFFERS,
    streams: { s: { ...STREAM, sinks: ["out"], ack: "memory" } },
    sinks: { out: { type: "stage", order: "none", limit: { bytesPerSecond, burstBytes } } },
  });
}

Deno.test("SinkWriter.bodyBytes() holds a limit in bytes to what records take at the sink", async () => {
  await using stage = await open();
  const writes: { atMs: number; bytes: number }[] = [];
  stage.encodedBytes = (_, i) => framed(i);
  stage.behave("out", (batch) => {
    let bytes = 0;
    for (let i = 0; i < batch.count; i++) bytes += framed(i);
    writes.push({ atMs: stage.clock.nowMs(), bytes });
    return allAcked(batch);
  });
  await holdLimit(stage, writes);
});

Deno.test("SinkWriter.encodedBytes() falls back to the values where an adapter throws, or says what is no number of bytes", async () => {
  const sayings = [
    () => {
      throw new Error("not today");
    },
    () => NaN,
    () => -1,
  ];
  for (const saying of sayings) {
    await using stage = await open();
    const writes: { atMs: number; bytes: number }[] = [];
    stage.encodedBytes = saying;
    stage.behave("out", (batch) => {
      writes.push({ atMs: stage.clock.nowMs(), bytes: batch.bytes });
      return allAcked(batch);
    });
    await holdLimit(stage, writes);
  }
});
