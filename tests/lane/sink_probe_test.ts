/** How a sink that failed is asked whether it is back, when nothing is left that would find out. @module */
import { assertEquals } from "@std/assert";
import { SinkGate } from "../../src/lane/sink_gate.ts";
import { SinkProbe } from "../../src/lane/sink_probe.ts";
import { LogLines } from "../support/log_lines.ts";
import { ManualClock, settle } from "../support/manual_clock.ts";

const RETRY = { initialMs: 100, maxMs: 400, maxAttempts: 1 };
const TIMEOUT_MS = 1000;

/** A sink that has failed once, and a writer of it that answers as `answer` says. */
function failedSink() {
  const clock = new ManualClock();
  const gate = new SinkGate({
    sink: "far",
    clock,
    limits: {},
    control: { kind: "static", initial: 1, min: 1, max: 1 },
    downAfterMs: 50,
    log: new LogLines(),
  });
  const writer = {
    isOpen: true,
    holdsRecords: false,
    askedAtMs: [] as number[],
    answer: (_: AbortSignal): Promise<void> => Promise.reject(new Error("still away")),
    check(signal: AbortSignal): Promise<void> {
      this.askedAtMs.push(clock.nowMs());
      return this.answer(signal);
    },
  };
  const probe = new SinkProbe({
    gate,
    writers: [writer],
    retry: RETRY,
    timeoutMs: TIMEOUT_MS,
    clock,
    random: () => 1,
  });
  gate.trying();
  gate.failed("no connection");
  return { clock, gate, writer, probe };
}

Deno.test("SinkProbe asks a sink that failed with growing pauses, until it is back", async () => {
  const { clock, gate, writer } = failedSink();
  await clock.run(1100);
  assertEquals(writer.askedAtMs, [100, 300, 700, 1100]);
  assertEquals([gate.state, gate.reason], ["down", "still away"]);
  writer.answer = () => Promise.resolve();
  await clock.run(400);
  assertEquals([gate.state, gate.reason], ["up", ""]);
  assertEquals([clock.pending, writer.askedAtMs.length], [0, 5]);
  gate.trying();
  gate.failed("away again");
  await clock.run(100);
  assertEquals(writer.askedAtMs.length, 6, "the pauses begin anew");
});

Deno.test("SinkProbe leaves it to the records of a lane to find out, and to the opening of an adapter", async () => {
  for (const state of [{ holdsRecords: true }, { isOpen: false }]) {
    const { clock, gate, writer } = failedSink();
    Object.assign(writer, state);
    await clock.run(5000);
    assertEquals([writer.askedAtMs, gate.state], [[], "down"]);
    Object.assign(writer, { holdsRecords: false, isOpen: true });
    await clock.run(400);
    assertEquals(writer.askedAtMs.length, 1);
  }
});

Deno.test("SinkProbe believes a write that began after its question more than the answer", async () => {
  const { clock, gate, writer } = failedSink();
  const { promise, resolve } = Promise.withResolvers<void>();
  writer.answer = () => promise;
  await clock.run(100);
  writer.holdsRecords = true;
  resolve();
  await settle();
  assertEquals(gate.state, "down");
});

Deno.test("SinkProbe waits for an answer no longer than timeoutMs, and not at all when it is closed", async () => {
  const { clock, gate, writer, probe } = failedSink();
  const signals: AbortSignal[] = [];
  writer.answer = (signal) => {
    signals.push(signal);
    return new Promise(() => {});
  };
  await clock.run(100 + TIMEOUT_MS);
  assertEquals([signals.length, signals[0].aborted], [1, true]);
  assertEquals(gate.reason, `the sink did not answer within timeoutMs ${TIMEOUT_MS}`);
  await clock.run(200);
  probe.close();
  await settle();
  assertEquals([signals.length, signals[1].aborted, clock.pending], [2, true, 0]);
});
