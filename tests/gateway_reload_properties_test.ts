/**
 * Whatever configs follow each other, under load and with sinks that stop and go: the ledger adds up at every step, what
 * was acknowledged is stored in the end, in order, and all segments come home.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReloadStage, type StageConfig } from "./support/reload_stage.ts";

const STREAMS = ["s", "t", "u"];
const SINKS = ["a", "b", "c"];

/** A config: for each stream whether it is there, its sinks as bits, and a key that makes it another; tags of the sinks. */
interface Shape {
  readonly streams: readonly {
    readonly there: boolean;
    readonly sinks: number;
    readonly maxWaiters: number;
  }[];
  readonly tags: readonly number[];
  readonly letters: boolean;
}

type Step =
  | { readonly kind: "reload"; readonly shape: Shape }
  | { readonly kind: "post"; readonly stream: number; readonly records: number }
  | { readonly kind: "stall"; readonly sink: number }
  | { readonly kind: "release"; readonly sink: number };

const shape: fc.Arbitrary<Shape> = fc.record({
  // Sink 0 is always there: no config is without one.
  streams: fc.array(
    fc.record({
      there: fc.boolean(),
      sinks: fc.integer({ min: 1, max: 7 }),
      maxWaiters: fc.integer({ min: 9, max: 10 }),
    }),
    { minLength: STREAMS.length, maxLength: STREAMS.length },
  ),
  tags: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: SINKS.length, maxLength: SINKS.length }),
  letters: fc.boolean(),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("reload" as const), shape }),
  fc.record({
    kind: fc.constant("post" as const),
    stream: fc.integer({ min: 0, max: STREAMS.length - 1 }),
    records: fc.integer({ min: 1, max: 12 }),
  }),
  fc.record({ kind: fc.constant("stall" as const), sink: fc.integer({ min: 0, max: SINKS.length - 1 }) }),
  fc.record({ kind: fc.constant("release" as const), sink: fc.integer({ min: 0, max: SINKS.length - 1 }) }),
);

function configOf({ streams, tags, letters }: Shape): StageConfig {
  const there = streams.map(({ there }, k) => there || k === 0);
  const bits = streams.map(({ sinks }, k) => there[k] ? sinks : 0);
  const used = SINKS.filter((_, k) => bits.some((mask) => mask & (1 << k)));
  return {
    buffers: { segments: 256, segmentBytes: 4096 },
    gateway: { drainMs: 2_000_000 },
    streams: Object.fromEntries(
      STREAMS.map((name, k) => [name, {
        ack: "memory",
        sinks: SINKS.filter((_, sink) => bits[k] & (1 << sink)),
        maxRecordBytes: 100,
        maxWaitMs: 10,
        minSegments: 2,
        maxWaiters: streams[k].maxWaiters,
      }]).filter((_, k) => there[k]),
    ),
    sinks: Object.fromEntries(used.map((name) => [name, {
      type: "switch",
      tag: String(tags[SINKS.indexOf(name)]),
      timeoutMs: 2_000_000,
      order: "strict",
      ...(letters && name !== used[0] ? { deadLetter: used[0] } : {}),
    }])),
  };
}

/** Runs `steps`, and checks what must hold at each and in the end. */
async function live(first: Shape, steps: readonly Step[]): Promise<void> {
  await using stage = await ReloadStage.start(configOf(first));
  const { gateway, sinks } = stage;
  /** By sink, then stream: what each acknowledged, in order. */
  const acked = new Map(
    SINKS.map((sink) => [sink, new Map(STREAMS.map((stream) => [stream, [] as string[]]))]),
  );
  let next = 0;
  for (const each of steps) {
    if (each.kind === "reload") await stage.reload(configOf(each.shape));
    else if (each.kind === "stall") sinks.stall(SINKS[each.sink]);
    else if (each.kind === "release") sinks.release(SINKS[each.sink]);
    else {
      const stream = STREAMS[each.stream];
      const unit = gateway.streams.get(stream);
      const values = Array.from({ length: each.records }, () => `"${stream}${next++}"`);
      let status = 0;
      const answered = stage.post(stream, values.join("\n")).then((answer) => status = answer.status);
      await stage.until(() => status !== 0, `an answer of ${stream}`);
      await answered;
      assertEquals(status, unit ? 202 : 404);
      for (const sink of unit?.config.sinks ?? []) acked.get(sink)!.get(stream)!.push(...values);
    }
    stage.clock.advance(1);
    stage.assertSound();
  }
  for (const sink of SINKS) sinks.release(sink);
  await stage.until(() => gateway.view.snapshot().draining.length === 0, "what left has ended");
  const report = await gateway.stop();
  assertEquals(report, { lostRecords: 0, failures: [] });
  for (const [sink, streams] of acked) {
    const stored = sinks.stored(sink);
    for (const [stream, values] of streams) {
      assertEquals(stored.filter((value) => value.startsWith(`"${stream}`)), values, `${stream} at ${sink}`);
    }
  }
  const opened = sinks.events.filter((event) => event.startsWith("open")).length;
  assertEquals(sinks.events.length, 2 * opened, "what was opened is closed");
  assert(gateway.network.freeSegments === gateway.network.totalSegments, "every segment is home");
}

Deno.test("Gateway.reload() keeps every promise over any sequence of configs", async () => {
  await fc.assert(
    fc.asyncProperty(shape, fc.array(step, { minLength: 5, maxLength: 25 }), live),
    { numRuns: 200 },
  );
});
