/**
 * How a writer opens a sink that does not open. What it writes, and when, is tested through the lanes.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { SegmentBatch } from "../../src/lane/batch.ts";
import { SinkGate } from "../../src/lane/sink_gate.ts";
import { SinkWriter, type WritingLane } from "../../src/lane/sink_writer.ts";
import type { SinkAdapter, WriteResult } from "../../src/sink/adapter.ts";
import { LogLines } from "../support/log_lines.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** A lane that always has something to write: all that an unopened writer asks of it. */
const EAGER: WritingLane = {
  nextCost: 1,
  ready: true,
  holdsRecords: true,
  next: (): SegmentBatch | null => null,
  begin: () => {},
  end: () => {},
};

/** A writer of a sink that opens so. */
function writerOf(clock: ManualClock, log: LogLines, open: () => Promise<SinkAdapter>): SinkWriter {
  const gate = new SinkGate({
    sink: "far",
    clock,
    limits: {},
    control: { kind: "static", initial: 1, min: 1, max: 1 },
    downAfterMs: 60_000,
    log,
  });
  return new SinkWriter({
    gate,
    writesInFlight: 1,
    framingBytes: 0,
    timeoutMs: 1000,
    retry: { initialMs: 100, maxMs: 10_000, maxAttempts: 0 },
    clock,
    random: () => 1,
    log,
    open,
  });
}

/** A writer of a sink whose every open fails, with `reason(n)` for the n-th. */
function unopenable(reason: (attempt: number) => string) {
  const clock = new ManualClock();
  const log = new LogLines();
  const openedAtMs: number[] = [];
  const writer = writerOf(clock, log, () => {
    openedAtMs.push(clock.nowMs());
    return Promise.reject(new Error(reason(openedAtMs.length)));
  });
  writer.addLane(EAGER, 1);
  return { clock, log, openedAtMs, writer };
}

Deno.test("SinkWriter.openNow() and .wake() keep to the backoff of an open that failed, however often they are called", async () => {
  const { clock, openedAtMs, writer } = unopenable(() => "refused");
  await writer.openNow();
  for (let ms = 0; ms < 1000; ms += 10) {
    writer.wake(EAGER);
    void writer.openNow();
    await clock.run(10);
  }
  assertEquals(openedAtMs, [0, 100, 300, 700]);
  assertEquals(clock.pending, 1, "one attempt waits, and no other");
  await writer.close(AbortSignal.abort());
  assertEquals(clock.pending, 0);
});

Deno.test("SinkWriter logs that a sink cannot be opened once for each reason, not once for each attempt", async () => {
  const { clock, log, openedAtMs, writer } = unopenable((attempt) =>
    attempt < 4 ? "refused" : "no such host"
  );
  await writer.openNow();
  await clock.run(3000);
  assertEquals(openedAtMs.length, 5);
  assertEquals(log.lines.map(({ message, fields }) => [message, fields.reason]), [
    ["cannot open sink, will try again", "refused"],
    ["cannot open sink, will try again", "no such host"],
  ]);
  await writer.close(AbortSignal.abort());
});

Deno.test("SinkWriter.close() closes the adapter of a write that settles at nothing else, and resolves when it has", async () => {
  const clock = new ManualClock();
  const written = Promise.withResolvers<WriteResult>();
  const ended: string[] = [];
  const lane: WritingLane = {
    ...EAGER,
    next: () => new SegmentBatch("s", "id-"),
    end: (_, { kind }) => void ended.push(kind),
  };
  const adapter: SinkAdapter = {
    write: () => written.promise,
    check: () => {},
    close: () => written.reject(new Error("closed before the sink had told")),
  };
  const writer = writerOf(clock, new LogLines(), () => Promise.resolve(adapter));
  writer.addLane(lane, 1);
  writer.wake(lane);
  await writer.openNow();
  assertEquals(writer.inFlight, 1);
  const closed = writer.close(new AbortController().signal);
  await clock.run(499);
  assertEquals(ended, []);
  await clock.run(1);
  await closed;
  assertEquals([ended, writer.inFlight, clock.pending], [["unknown"], 0, 0]);
});
