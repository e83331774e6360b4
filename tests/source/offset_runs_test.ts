/** Commits have no gaps, in whatever order sinks settle. @module */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type OffsetRun, OffsetRuns } from "../../src/source/offset_runs.ts";

Deno.test("OffsetRuns.settledTo ends at the first run that is not settled, and goes on when it is", () => {
  const runs = new OffsetRuns(10, () => {});
  const [first, second] = [3, 4].map((records) => {
    const run = runs.begin();
    run.counter.expect(records);
    run.counter.seal();
    runs.next += records;
    return run;
  });
  second.counter.settle(4);
  assertEquals(runs.settledTo, 10);
  first.counter.settle(2);
  assertEquals(runs.settledTo, 10);
  first.counter.settle(1);
  assertEquals(runs.settledTo, 17);
});

Deno.test("OffsetRuns.settledTo never passes a record that is not settled, and ends behind the last", () => {
  const runsOf = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 20 });
  fc.assert(fc.property(runsOf, fc.infiniteStream(fc.nat()), (sizes, choices) => {
    const runs = new OffsetRuns(0, () => {});
    const open: { run: OffsetRun; offset: number }[] = [];
    for (const size of sizes) {
      const run = runs.begin();
      run.counter.expect(size);
      for (let i = 0; i < size; i++) open.push({ run, offset: runs.next++ });
      run.counter.seal();
    }
    let before = runs.settledTo;
    while (open.length > 0) {
      const [{ run }] = open.splice(choices.next().value % open.length, 1);
      run.counter.settle(1);
      assert(open.every(({ offset }) => runs.settledTo <= offset), "no gap");
      assert(runs.settledTo >= before, "never back");
      before = runs.settledTo;
    }
    assertEquals(runs.settledTo, runs.next);
    assertEquals(runs.count, 0);
  }));
});

Deno.test("OffsetRuns.abandon() tells nothing of what is settled later", () => {
  let told = 0;
  const runs = new OffsetRuns(0, () => told++);
  const run = runs.begin();
  run.counter.expect(1);
  run.counter.seal();
  runs.abandon();
  run.counter.settle(1);
  assertEquals(told, 0);
});
