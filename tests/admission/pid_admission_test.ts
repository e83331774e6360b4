/** One rate for the streams of a sink: by weight, nothing idle while one wants more, and nobody starved. @module */
import { assert, assertEquals } from "@std/assert";
import { PidAdmission } from "../../src/admission/pid_admission.ts";
import type { Feed, FeedControl } from "../../src/admission/source_control.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** A sink that takes 1,000 records/s in full writes, and streams that want more or less of it. */
class Model {
  readonly clock = new ManualClock();
  readonly pid = new PidAdmission({ clock: this.clock, minRecordsPerSecond: 10, slots: 1 });
  readonly #streams: { control: FeedControl; weight: number; wants: number; records: number }[] = [];

  add(weight: number, recordsPerSecond: number): number {
    return this.#streams.push({ control: this.pid.join(), weight, wants: recordsPerSecond, records: 0 }) - 1;
  }

  want(stream: number, recordsPerSecond: number): void {
    this.#streams[stream].wants = recordsPerSecond;
  }

  /** Records per second that each stream brought in the last `seconds` of so many. */
  run(seconds: number): number[] {
    const before = this.#streams.map(({ records }) => records);
    for (let ms = 0; ms < seconds * 1000; ms += 10) {
      this.clock.advance(10);
      this.pid.ended(10, 10, 1);
      for (const stream of this.#streams) {
        if (this.#ask(stream, 0) > 0 || stream.wants === 0) continue;
        const records = stream.wants / 100;
        stream.records += records;
        this.#ask(stream, records);
      }
    }
    return this.#streams.map(({ records }, k) => (records - before[k]) / seconds);
  }

  #ask({ control, weight }: { control: FeedControl; weight: number }, enteredRecords: number): number {
    const feed: Feed = { weight, enteredRecords, unsettledRecords: 1e6, queueLevel: 0 };
    return control.waitMs(feed, this.clock.nowMs());
  }
}

function assertNear(found: readonly number[], wanted: readonly number[]): void {
  const isNear = found.every((value, k) => Math.abs(value - wanted[k]) <= 0.05 * 1000);
  assert(isNear, `${found.map(Math.round)} is not about ${wanted}`);
}

Deno.test("PidAdmission lets everything in until the sink has shown what it can", () => {
  const model = new Model();
  model.add(1, 5000);
  assertEquals(model.pid.recordsPerSecond, null);
  assertEquals(model.run(1), [5000]);
});

Deno.test("PidAdmission shares the sink's rate by weight among streams that want more", () => {
  const model = new Model();
  model.add(3, 2000);
  model.add(1, 2000);
  model.run(5);
  assertNear(model.run(20), [750, 250]);
});

Deno.test("PidAdmission leaves to the others what a stream does not want, and gives it back within two seconds", () => {
  const model = new Model();
  model.add(1, 2000);
  const second = model.add(1, 100);
  model.run(5);
  assertNear(model.run(20), [900, 100]);
  model.want(second, 2000);
  model.run(2);
  assertNear(model.run(20), [500, 500]);
  model.want(second, 0);
  model.run(2);
  assertNear(model.run(20), [1000, 0]);
});

Deno.test("PidAdmission gives a stream that comes later its part, and forgets one that asks no more", () => {
  const model = new Model();
  model.add(1, 2000);
  model.run(5);
  model.add(1, 2000);
  model.run(2);
  assertNear(model.run(20), [500, 500]);
});

Deno.test("PidAdmission holds nobody back by what is not under way any more", () => {
  const model = new Model();
  model.run(3);
  const control = model.pid.join();
  const ask = (enteredRecords: number, unsettledRecords: number) =>
    control.waitMs({ weight: 1, enteredRecords, unsettledRecords, queueLevel: 0 }, model.clock.nowMs());
  assertEquals(ask(0, 0), 0);
  assertEquals(ask(5000, 5000), 5000);
  assertEquals(ask(0, 500), 500);
  assertEquals(ask(0, 0), 0);
});
