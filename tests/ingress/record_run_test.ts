/** Records that are read together enter together, and one that has to wait takes none with it. @module */
import { assertEquals } from "@std/assert";
import { plainMeta } from "../../src/core/record.ts";
import { RecordRun } from "../../src/ingress/record_run.ts";
import { FakeStream } from "./fake_exchange.ts";

const encoder = new TextEncoder();
const META = plainMeta(0);

/** Runs of records without a key; `ended` are the records of each run that was handed over. */
function open(options: ConstructorParameters<typeof FakeStream>[0]) {
  const stream = new FakeStream(options);
  const ended: number[] = [];
  const counterOf = (records: number) => {
    ended.push(records);
    return null;
  };
  const run = new RecordRun(stream.door, { counterOf }, "the record");
  const add = (text: string) => {
    const value = encoder.encode(text);
    if (!run.goesOn(value.length, -1)) run.begin(META);
    return run.add(value, -1);
  };
  return { stream, run, ended, add };
}

Deno.test("RecordRun.end() hands over what the open segment took, in one go", () => {
  const { stream, run, ended, add } = open({ segments: 8, policy: { validateJson: false } });
  assertEquals([add("a"), add("b")], ["taken", "taken"]);
  assertEquals(stream.admission.partition.acceptedRecords, 0);
  run.end();
  run.end();
  assertEquals([ended, stream.admission.partition.acceptedRecords], [[2], 2]);
  add("c");
  assertEquals(run.goesOn(2_000, -1), false);
  assertEquals(ended, [2, 1]);
});

Deno.test("RecordRun.add() refuses what is no record, and keeps those before it", () => {
  const { run, ended, add } = open({ segments: 8 });
  assertEquals([add('"a"'), add("nope")], ["taken", "refused"]);
  assertEquals(run.refusal?.kind, "bad");
  run.end();
  assertEquals(ended, [1]);
});

Deno.test("RecordRun.add() waits for room, and refuses what never finds any", () => {
  const { stream, run, ended, add } = open({ segments: 4, policy: { validateJson: false } });
  add("x".repeat(2_500));
  run.end();
  assertEquals(stream.hold(), 1);
  assertEquals(add("y".repeat(2_500)), "no-room");
  stream.settle();
  assertEquals(add("y".repeat(2_500)), "taken");
  run.end();
  stream.hold();
  stream.settle();
  assertEquals([add("z".repeat(20_000)), run.refusal], ["refused", {
    kind: "too-large",
    detail: "the record needs more segments than the stream may have",
  }]);
  run.end();
  assertEquals([ended, stream.hold(), stream.pool.lentSegments <= 1], [[1, 1], 0, true]);
});

Deno.test("RecordRun.add() asks the quota for each record alone", () => {
  const { run, ended, add } = open({
    segments: 8,
    quota: { recordsPerSecond: 2, bytesPerSecond: 1_000, burstBytes: 100 },
  });
  assertEquals([add("1"), add("2"), add("3")], ["taken", "taken", "no-quota"]);
  assertEquals([ended, run.takesMany(-1)], [[1, 1], false]);
  assertEquals([add(`"${"x".repeat(100)}"`), run.refusal?.kind], ["refused", "too-large"]);
});
