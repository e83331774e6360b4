/** A reload changes the control of a sink under its streams, and one that stays keeps what it has learned. @module */
import { assert, assertEquals } from "@std/assert";
import { ReloadStage } from "./support/reload_stage.ts";

const RECORD = `"${"x".repeat(1900)}"`;

function config(control: Record<string, unknown>, tag = ""): Record<string, unknown> {
  return {
    buffers: { segmentBytes: 4096, segments: 1000 },
    streams: { s: { sinks: ["out"], ack: "memory" } },
    sinks: { out: { type: "switch", tag, batch: { maxBytes: 10_000 }, control } },
  };
}

Deno.test("Gateway.reload() shuts and opens a stream whose sink gets or loses the control watermark", async () => {
  await using stage = await ReloadStage.start(config({ kind: "static" }));
  const { gateway, sinks } = stage;
  const { admission, lanes: [{ lane, plan }] } = gateway.streams.get("s")!;
  sinks.stall("out");
  let records = 0;
  for (; lane.input.queue.backlog <= 0.95 * (plan.maxBuffers - plan.credits); records++) {
    assertEquals((await stage.post("s", RECORD)).status, 202);
    stage.clock.advance(2);
  }
  assert(admission.sourceIsOpen);
  await stage.reload(config({ kind: "watermark" }));
  assert(!gateway.streams.get("s")!.admission.sourceIsOpen);
  await stage.reload(config({ kind: "static" }));
  assert(gateway.streams.get("s")!.admission.sourceIsOpen);
  await stage.reload(config({ kind: "watermark" }));
  sinks.release("out");
  await stage.until(() => sinks.stored("out").length === records, "all is stored");
  assert(gateway.streams.get("s")!.admission.sourceIsOpen);
  stage.assertSound();
});

Deno.test("Gateway.reload() keeps the rate of a pid whose sink changes in something else", async () => {
  const pid = { kind: "pid" };
  await using stage = await ReloadStage.start(config(pid));
  const { gateway, sinks } = stage;
  for (let k = 1; k <= 3; k++) {
    sinks.stall("out");
    assertEquals((await stage.post("s", RECORD)).status, 202);
    await stage.until(() => sinks.writing.get("out") === 1, "a write is under way");
    stage.clock.advance(1000);
    sinks.release("out");
    await stage.until(() => sinks.stored("out").length === k, "it is stored");
  }
  const rate = gateway.sinks.get("out")!.source!.recordsPerSecond;
  assert(rate !== null);
  await stage.reload(config(pid, "2"));
  assertEquals(gateway.sinks.get("out")!.source!.recordsPerSecond, rate);
  await stage.reload(config({ ...pid, minRecordsPerSecond: 7 }, "2"));
  assertEquals(gateway.sinks.get("out")!.source!.recordsPerSecond, null);
  stage.assertSound();
});
