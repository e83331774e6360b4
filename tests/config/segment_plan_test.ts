/** What the pool promises, and that the sentence about what would do is right. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as fc from "fast-check";
import { type Config, parseConfig } from "../../src/config.ts";
import {
  draftSegments,
  planSegments,
  segmentPayloadBytes,
  segmentsOfRecord,
  writeControl,
  writesInFlight,
} from "../../src/config/segment_plan.ts";
import { planDeadLetters } from "../../src/config/dead_letter_plan.ts";
import { planTables } from "../../src/config/report.ts";
import { SINKS } from "./definitions.ts";
import { faultsOf } from "./faults_of.ts";

interface Parts {
  readonly buffers?: object;
  readonly stream?: object;
  readonly web?: object;
}

/** Stream `a` into `out`, stream `b` into `out` and `web`. */
function config({ buffers = {}, stream = {}, web = {} }: Parts = {}): Config {
  return parseConfig({
    buffers,
    streams: { a: { sinks: ["out"], maxRecordBytes: 1000 }, b: { sinks: ["out", "web"], ...stream } },
    sinks: { out: { type: "stdout" }, web: { type: "http", url: "http://x/", ...web } },
  }, SINKS);
}

Deno.test("planSegments() guarantees each stream its largest record, one per lane, and one more", () => {
  const plan = planSegments(config({ web: { parallelism: 3 } }));
  assertEquals(plan.streams, [
    { stream: "a", recordSegments: 1, minSegments: 3, maxSegments: 2048, lanes: 1 },
    { stream: "b", recordSegments: 33, minSegments: 38, maxSegments: 2048, lanes: 4 },
  ]);
  assertEquals([plan.totalGuaranteed, plan.segments], [41, 2048]);
  assertEquals(plan.lanes.map(({ stream, sink, writer }) => `${stream} ${sink} ${writer}`), [
    "a out 0",
    "b out 0",
    "b web 0",
    "b web 1",
    "b web 2",
  ]);
});

Deno.test("planSegments() gives a lane 2 + 8 credits where these are enough", () => {
  const [lane] = planSegments(config({ buffers: { segmentBytes: 1_048_576 } })).lanes;
  assertEquals(lane, {
    stream: "a",
    sink: "out",
    writer: 0,
    guaranteed: 1,
    exclusive: 2,
    floating: 8,
    credits: 10,
    maxBuffers: 64,
  });
});

Deno.test("planSegments() raises credits for a batch times its writes in flight, and the queue to twice of it", () => {
  const lane = planSegments(config()).lanes[2];
  // 1 MiB in 32 KiB segments, one more for straddling, four writes in flight.
  assertEquals([lane.sink, lane.credits, lane.floating, lane.maxBuffers], [
    "web",
    34 * 4,
    34 * 4 - 2,
    34 * 8,
  ]);
});

Deno.test("planSegments() raises credits for the largest record", () => {
  const lane = planSegments(config({ stream: { maxRecordBytes: 8_388_608 } })).lanes[1];
  assertEquals([lane.sink, lane.credits], ["out", segmentsOfRecord(8_388_608, 32_768) + 1]);
});

Deno.test("planSegments() takes configured shares as they are", () => {
  const plan = planSegments(config({ stream: { minSegments: 2, maxSegments: 7 } }));
  assertEquals([plan.streams[1].minSegments, plan.streams[1].maxSegments], [2, 7]);
  // Two segments are not one for each of two lanes and one more.
  assertEquals(plan.lanes.map((lane) => lane.guaranteed), [1, 0, 0]);
});

Deno.test("writesInFlight() is bounded by the sink, the controller and strict order", () => {
  const inFlight = (web: object): number => writesInFlight(config({ web }).sinks.get("web")!);
  assertEquals(inFlight({}), 4);
  assertEquals(inFlight({ control: { initial: 30 } }), 8);
  assertEquals(inFlight({ order: "strict" }), 1);
  assertEquals(inFlight({ control: { kind: "arc", max: 3 } }), 3);
  assertEquals(inFlight({ control: { kind: "arc" } }), 8);
  assertEquals(inFlight({ control: { kind: "arc" }, order: "strict" }), 1);
});

Deno.test("writeControl() gives a controller that learns no more than its writers can have, and static as it is", () => {
  const control = (web: object): unknown => writeControl(config({ web }).sinks.get("web")!);
  assertEquals(control({ control: { initial: 30 } }), { kind: "static", initial: 30, min: 1, max: 32 });
  assertEquals(control({ control: { kind: "aimd" }, parallelism: 2 }), {
    kind: "aimd",
    initial: 4,
    min: 1,
    max: 16,
  });
  assertEquals(control({ control: { kind: "arc", min: 9, initial: 9 } }), {
    kind: "arc",
    initial: 8,
    min: 8,
    max: 8,
  });
});

Deno.test("planSegments() tells the sum and the smallest number of segments that would do", () => {
  assertEquals(faultsOf(() => planSegments(config({ buffers: { segments: 38 } }))), [
    "buffers.segments: must hold the guaranteed segments of all streams, 39 (a 3 + b 36), but is 38; " +
    "the smallest buffers.segments that would do is 39",
  ]);
  planSegments(config({ buffers: { segments: 39 } }));
});

Deno.test("planSegments() refuses a largest share below the guaranteed one, and above the pool", () => {
  const [below] = faultsOf(() => planSegments(config({ stream: { maxSegments: 20 } })));
  assertStringIncludes(below, "streams.b.maxSegments: must be at least minSegments, which is 36");
  const [above] = faultsOf(() => planSegments(config({ stream: { maxSegments: 2049 } })));
  assertStringIncludes(
    above,
    "streams.b.maxSegments: must be at most buffers.segments, which is 2048, but is 2049",
  );
});

Deno.test("draftSegments() covers batch, record and queue for any config; what planSegments() says would do, does", () => {
  const parts = fc.record({
    buffers: fc.record({
      segmentBytes: fc.constantFrom(4096, 32_768, 1_048_576),
      segments: fc.integer({ min: 1, max: 3000 }),
      exclusivePerLane: fc.nat(20),
      floatingPerLane: fc.nat(20),
      maxPerLane: fc.integer({ min: 1, max: 500 }),
    }),
    stream: fc.record({ maxRecordBytes: fc.integer({ min: 1, max: 4_194_304 }) }),
    web: fc.record({
      parallelism: fc.integer({ min: 1, max: 8 }),
      batch: fc.record({ maxBytes: fc.integer({ min: 1, max: 10_000_000 }) }),
      control: fc.record({ initial: fc.integer({ min: 1, max: 20 }) }),
    }),
  });
  fc.assert(fc.property(parts, (given) => {
    const parsed = config(given);
    const { segmentBytes, exclusivePerLane, floatingPerLane } = parsed.buffers;
    const draft = draftSegments(parsed);
    for (const lane of draft.lanes) {
      const sink = parsed.sinks.get(lane.sink)!;
      const record = parsed.streams.get(lane.stream)!.maxRecordBytes;
      assert(lane.credits * segmentPayloadBytes(segmentBytes) >= sink.batch.maxBytes * writesInFlight(sink));
      assert(lane.credits * segmentPayloadBytes(segmentBytes) > record);
      assert(lane.credits >= exclusivePerLane + floatingPerLane);
      assertEquals(lane.exclusive + lane.floating, lane.credits);
      assert(lane.floating >= 0 && lane.maxBuffers >= 2 * lane.credits);
    }
    const fault = faultsOf(() => planSegments(parsed)).join();
    assertEquals(fault !== "", draft.totalGuaranteed > draft.segments);
    if (fault === "") return;
    const segments = Number(/would do is (\d+)/.exec(fault)?.[1]);
    planSegments(config({ ...given, buffers: { ...given.buffers, segments } }));
    assert(
      faultsOf(() =>
        planSegments(config({ ...given, buffers: { ...given.buffers, segments: segments - 1 } }))
      ).length > 0,
    );
  }));
});

Deno.test("planDeadLetters() makes room for the largest letter of each sink, and for letters of letters", () => {
  const [out, web] = planDeadLetters(config({ web: { deadLetter: "out" } }));
  assertEquals([out.target, web.target], [null, "out"]);
  // A byte may become six (\\u0000), and again six where the letter is refused.
  assert(web.segments * 32_768 > 6 * 1_048_576 && out.segments * 32_768 > 36 * 1_048_576);
});

Deno.test("planTables() aligns lanes, streams, dead letters and the whole as YAML comments", () => {
  assertEquals(
    planTables(draftSegments(config({ buffers: { segments: 30 } }))),
    `# lane     guaranteed segments  credits  exclusive  floating  queue limit in buffers
# a → out                    1       34          2        32                      68
# b → out                    1       34          2        32                      68
# b → web                    1      136          2       134                     272
#
# stream  guaranteed segments  at most  largest record  lanes
# a                         3       30               1      1
# b                        36       30              33      2
#
# dead letters of                 go to  segments beside the pool
# out              a file under dataDir                       202
# web              a file under dataDir                       202
#
# whole: 39 of 30 segments are guaranteed; it does not fit
`,
  );
});
