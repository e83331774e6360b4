/** When buffers are cut, for whom, and what the books say. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { NetworkBufferPool } from "../../src/buffer/network_buffer_pool.ts";
import { InvariantError } from "../../src/core/assert.ts";
import { plainMeta, type RecordMeta } from "../../src/core/record.ts";
import type { SegmentBatch } from "../../src/lane/batch.ts";
import { AckCounter } from "../../src/partition/acks.ts";
import { type BodyWriter, FLUSH_MS, ResultPartition } from "../../src/partition/result_partition.ts";
import { ManualClock, settle as endTurn } from "../support/manual_clock.ts";
import { type LaneShape, ReadingLane } from "./reading_lane.ts";

const SEGMENT_BYTES = 256;
const META = plainMeta(1_700_000_000_000);
const NO_KEY = new Uint8Array(0);
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (view: Uint8Array) => new TextDecoder().decode(view);

class CountingClock extends ManualClock {
  defers = 0;
  override defer(run: () => void): void {
    this.defers++;
    super.defer(run);
  }
}

class Fixture {
  readonly clock = new CountingClock();
  readonly network = new NetworkBufferPool({ segments: 16, segmentBytes: SEGMENT_BYTES });
  readonly pool = this.network.createLocalPool({ name: "s", minSegments: 16 });
  readonly lanes: ReadingLane[];
  partition: ResultPartition;
  /** Lanes told, in order. */
  readonly told: number[] = [];

  constructor(...shapes: LaneShape[]) {
    this.lanes = shapes.map((shape, lane) => new ReadingLane(lane, shape));
    this.partition = new ResultPartition({
      stream: "s",
      pool: this.pool,
      lanes: this.lanes.map(({ input }) => input),
      clock: this.clock,
      notify: (lane) => this.told.push(lane),
    });
  }

  commit(values: string[], counter: AckCounter | null = null, meta: RecordMeta = META) {
    const writer = this.partition.begin(meta);
    const source = bytes(values.join("\n"));
    let at = 0;
    for (const value of values) {
      const end = at + bytes(value).length;
      if (!writer.addRecord(source, at, end, 0, -1, -1, -1)) {
        writer.startRecord();
        while (at < end) {
          const to = Math.min(end, at + writer.room());
          writer.append(source, at, to);
          at = to;
        }
        writer.endRecord(0, NO_KEY, 0, -1);
      }
      at = end + 1;
    }
    return this.partition.commit(counter);
  }

  body(): BodyWriter {
    return this.partition.bodyWriter(() => this.pool.tryRequest(), META);
  }

  /** Queued buffers by lane. */
  get queued(): number[] {
    return this.lanes.map(({ queue }) => queue.backlog);
  }
}

function write({ writer }: BodyWriter, value: string): void {
  const source = bytes(value);
  writer.startRecord();
  piece({ writer }, source);
  writer.endRecord(0, NO_KEY, 0, -1);
}

function piece({ writer }: Pick<BodyWriter, "writer">, source: Uint8Array): void {
  for (let at = 0; at < source.length;) {
    const to = Math.min(source.length, at + writer.room());
    writer.append(source, at, to);
    at = to;
  }
}

function values(batch: SegmentBatch | null): string[] {
  return batch === null ? [] : Array.from({ length: batch.count }, (_, i) => text(batch.value(i)));
}

function readAndSettle(lane: ReadingLane): string[] {
  const batch = lane.read();
  if (batch) lane.settleAll(batch);
  return values(batch);
}

Deno.test("ResultPartition.commit() leaves records in the open buffer, which is no backlog", () => {
  const fixture = new Fixture({ sink: "a" });
  fixture.commit(["x", "y"]);
  assertEquals([fixture.queued, fixture.told, fixture.partition.openRecords(0)], [[0], [], 2]);
  fixture.partition.flush();
  assertEquals([fixture.queued, fixture.told, fixture.partition.openRecords(0)], [[1], [0], 0]);
});

Deno.test("ResultPartition.commit() flushes once at the end of the turn when a lane has nothing to do", async () => {
  const fixture = new Fixture({ sink: "a" }, { sink: "b" });
  for (const value of ["x", "y", "z"]) fixture.commit([value]);
  assertEquals([fixture.queued, fixture.clock.pending, fixture.clock.defers], [[0, 0], 0, 1]);
  await endTurn();
  assertEquals([fixture.queued, fixture.told], [[1, 1], [0, 1]]);
  assertEquals(fixture.lanes.map(readAndSettle), [["x", "y", "z"], ["x", "y", "z"]]);
});

Deno.test("ResultPartition.commit() waits FLUSH_MS for more when every lane is busy, however much comes", async () => {
  const fixture = new Fixture({ sink: "a" });
  fixture.commit(["first"]);
  fixture.partition.flush();
  await endTurn();
  fixture.commit(["x"]);
  fixture.clock.advance(FLUSH_MS / 2);
  fixture.commit(["y"]);
  await endTurn();
  assertEquals([fixture.queued, fixture.clock.pending], [[1], 1]);
  fixture.clock.advance(FLUSH_MS / 2);
  assertEquals([fixture.queued, fixture.clock.pending], [[2], 0]);
});

Deno.test("ResultPartition.flush() cancels the timer and cuts nothing where nothing is open", async () => {
  const fixture = new Fixture({ sink: "a" });
  fixture.partition.flush();
  fixture.commit(["first"]);
  await endTurn();
  fixture.commit(["x"]);
  assertEquals(fixture.clock.pending, 1);
  fixture.partition.flush();
  fixture.partition.flush();
  assertEquals([fixture.queued, fixture.clock.pending, fixture.told], [[2], 0, [0, 0]]);
});

Deno.test("ResultPartition.flush() ends the buffer and not the segment", () => {
  const fixture = new Fixture({ sink: "a" });
  for (const value of ["x", "y"]) {
    fixture.commit([value]);
    fixture.partition.flush();
  }
  assertEquals(fixture.pool.lentSegments, 1);
  const [lane] = fixture.lanes;
  const batch = lane.read()!;
  assertEquals([values(batch), batch.buffers.length], [["x", "y"], 2]);
});

Deno.test("ResultPartition.commit() cuts a full segment at once, and the records behind it stay open", () => {
  const fixture = new Fixture({ sink: "a" });
  const lines = Array.from({ length: 9 }, (_, k) => `${k}`.repeat(20));
  assertEquals(fixture.commit(lines).records, 9);
  assertEquals([fixture.queued, fixture.told, fixture.partition.openRecords(0)], [[1], [0], 4]);
  fixture.partition.flush();
  assertEquals(readAndSettle(fixture.lanes[0]), lines);
});

Deno.test("ResultPartition.commit() gives a request no span in a buffer that holds none of its records", () => {
  const fixture = new Fixture({ sink: "a" });
  const [one, two] = [new AckCounter({ allSettled: () => {} }), new AckCounter({ allSettled: () => {} })];
  fixture.commit(["x".repeat(170)], one);
  fixture.commit(["y".repeat(30)], two);
  fixture.commit(["z".repeat(30)], two);
  fixture.partition.flush();
  const buffers = fixture.lanes[0].read()!.buffers.map(({ buffer }) => buffer);
  assertEquals(buffers.map(({ spanEnds }) => spanEnds), [[1], [2]]);
  assertEquals(buffers.map(({ spanCounters }) => spanCounters.map((counter) => counter === one)), [[true], [
    false,
  ]]);
});

Deno.test("ResultPartition.commit() links the buffers of a record that spans three segments and more", () => {
  const fixture = new Fixture({ sink: "a" });
  const large = "l".repeat(3 * SEGMENT_BYTES);
  fixture.commit(["before"]);
  fixture.commit([large, "small", "after"]);
  const [lane] = fixture.lanes;
  assertEquals(fixture.queued, [4], "all that the record runs through, its end included");
  lane.receive();
  const batch = lane.read()!;
  const buffers = [batch.buffers[0].buffer];
  for (let next = buffers[0].next; next; next = next.next) buffers.push(next);
  assertEquals(buffers.map(({ records, continues }) => [records, continues]), [
    [2, false],
    [0, true],
    [0, true],
    [2, true],
  ]);
  assertEquals(values(batch), ["before", large, "small", "after"]);
  fixture.commit(["next"]);
  assertEquals(fixture.partition.openRecords(0), 1);
  lane.settleAll(batch);
  assertEquals([fixture.lanes[0].input.held, fixture.pool.lentSegments], [0, 1]);
});

Deno.test("ResultPartition.commit() does not carry on a record twice where the next request runs over too", () => {
  // The open segment began with the end of a record; being full again, it was queued as its continuation once more.
  const fixture = new Fixture({ sink: "a" });
  const large = "l".repeat(2 * SEGMENT_BYTES - 100);
  for (const value of ["1", "2", "3"]) fixture.commit([value + large]);
  const [lane] = fixture.lanes;
  assertEquals(readAndSettle(lane), ["1", "2", "3"].map((value) => value + large));
  assertEquals([lane.input.held, fixture.pool.lentSegments], [0, 1]);
});

Deno.test("RecordBuffer.acceptedAtMs is when its first record was accepted, or may have begun to arrive", () => {
  const fixture = new Fixture({ sink: "a" });
  const [lane] = fixture.lanes;
  const times = () => lane.read()!.buffers.map(({ buffer }) => buffer.acceptedAtMs);
  const [early, later, late] = [0.1, 0.2, 0.3];
  fixture.clock.advance(early);
  fixture.commit(["x"]);
  fixture.clock.advance(0.1);
  fixture.commit(["l".repeat(SEGMENT_BYTES), "y"]);
  fixture.clock.advance(0.1);
  fixture.commit(["z"]);
  fixture.partition.flush();
  const rounded = times().map((ms) => Math.round(ms * 10) / 10);
  assertEquals(rounded, [early, later, late]);
  const body = fixture.body();
  const beganMs = fixture.clock.nowMs();
  fixture.clock.advance(1);
  write(body, "b".repeat(2 * SEGMENT_BYTES));
  fixture.partition.handOver(body, null, false);
  const handedOverMs = fixture.clock.nowMs();
  fixture.clock.advance(1);
  write(body, "c");
  fixture.partition.handOver(body, null, true);
  assertEquals(times(), [beganMs, beganMs, beganMs, handedOverMs]);
});

Deno.test("ResultPartition.rollback() restores the open segment of the requests before", () => {
  const fixture = new Fixture({ sink: "a" });
  fixture.commit(["kept"]);
  const writer = fixture.partition.begin(plainMeta(3));
  writer.startRecord();
  piece({ writer }, new Uint8Array(3 * SEGMENT_BYTES));
  assertEquals(fixture.pool.lentSegments, 4);
  fixture.partition.rollback();
  assertEquals([fixture.pool.lentSegments, fixture.partition.openRecords(0)], [1, 1]);
  assertEquals([fixture.partition.acceptedRecords, fixture.partition.acceptedBytes], [1, 4]);
  fixture.commit(["more"]);
  fixture.partition.flush();
  assertEquals(readAndSettle(fixture.lanes[0]), ["kept", "more"]);
});

Deno.test("ResultPartition.commit() settles each request's counter with its own records, in any order", () => {
  const fixture = new Fixture({ sink: "a" }, { sink: "b" }, { sink: "c", acks: false });
  const settled: string[] = [];
  for (const name of ["one", "two"]) {
    const counter = new AckCounter({ allSettled: () => settled.push(name) });
    fixture.commit([name, name], counter);
    assertEquals(counter.open, 1 + 2 * 2, "two sinks are waited for, the third is best effort");
    counter.seal();
  }
  fixture.partition.flush();
  const [a, b, c] = fixture.lanes;
  const [first, second] = [a.read()!, b.read()!];
  readAndSettle(c);
  for (const i of [2, 3, 0]) a.settle(first, i);
  for (const i of [3, 2]) b.settle(second, i);
  assertEquals(settled, ["two"]);
  a.settle(first, 1);
  b.settle(second, 0);
  assertEquals(settled, ["two"]);
  b.settle(second, 1);
  assertEquals(settled, ["two", "one"]);
});

Deno.test("ResultPartition.ackSinks() counts a sink with several writers once", () => {
  const { partition } = new Fixture(
    { sink: "a", writer: 0, writers: 2 },
    { sink: "a", writer: 1, writers: 2 },
    { sink: "b" },
    { sink: "c", acks: false },
  );
  assertEquals([0b0000, 0b0011, 0b0100, 0b0111].map((mask) => partition.ackSinks(mask)), [2, 1, 1, 0]);
});

Deno.test("ResultPartition.commit() leaves out all lanes of a sink that sheds and is full, and says so", () => {
  const fixture = new Fixture(
    { sink: "a" },
    { sink: "b", writer: 0, writers: 2, sheds: true, maxBuffers: 1 },
    { sink: "b", writer: 1, writers: 2, sheds: true, maxBuffers: 1 },
  );
  const [a, b0, b1] = fixture.lanes;
  assertEquals(fixture.commit(["1", "2"]).shedMask, 0);
  fixture.partition.flush();
  b0.receive();
  readAndSettle(b1);
  assertEquals([b0.input.full, b1.input.full], [true, false]);
  const counter = new AckCounter({ allSettled: () => {} });
  assertEquals(fixture.commit(["3"], counter).shedMask, 0b110);
  assertEquals(counter.open, 2, "only sink a is waited for");
  assertEquals([0, 1, 2].map((lane) => fixture.partition.openRecords(lane)), [1, 0, 0]);
  assertEquals([b0.input.shedRecords, b1.input.shedRecords], [1, 0], "counted once for the sink");
  fixture.partition.flush();
  assertEquals([values(a.read()), b1.read()], [["1", "2", "3"], null]);
});

Deno.test("ResultPartition.commit() cuts the open buffer where the lanes that are left out change", () => {
  const fixture = new Fixture({ sink: "a" }, { sink: "b", sheds: true, maxBuffers: 1 });
  const [a, b] = fixture.lanes;
  fixture.commit(["1"]);
  fixture.partition.flush();
  fixture.commit(["2"]); // b is full
  readAndSettle(b);
  fixture.commit(["3"]); // and no longer
  assertEquals(fixture.queued, [2, 0]);
  fixture.partition.flush();
  assertEquals([values(a.read()), values(b.read())], [["1", "2", "3"], ["3"]]);
});

Deno.test("ResultPartition.commit() refuses a commit of nothing, and of half a record", () => {
  const fixture = new Fixture({ sink: "a" });
  const writer = fixture.partition.begin(META);
  assertThrows(() => fixture.partition.commit(null), InvariantError, "at least one");
  writer.startRecord();
  assertThrows(() => fixture.partition.commit(null), InvariantError, "whole records");
});

Deno.test("ResultPartition.plainMeta() is one object within a millisecond", () => {
  const fixture = new Fixture({ sink: "a" });
  const meta = fixture.partition.plainMeta();
  fixture.clock.advance(0.5);
  assert(fixture.partition.plainMeta() === meta);
  fixture.clock.advance(0.5);
  assertEquals(fixture.partition.plainMeta().acceptedAtMs, meta.acceptedAtMs + 1);
});

Deno.test("ResultPartition.handOver() queues what is complete, once, behind what was accepted before", () => {
  const fixture = new Fixture({ sink: "a" });
  const body = fixture.body();
  const large = "l".repeat(2 * SEGMENT_BYTES);
  fixture.commit(["before"]);
  write(body, "one");
  write(body, large);
  body.writer.startRecord();
  piece(body, bytes(large));
  const counter = new AckCounter({ allSettled: () => {} });
  assertEquals(fixture.partition.handOver(body, counter, false).records, 2);
  assertEquals(fixture.partition.handOver(body, counter, false).records, 0);
  assertEquals([counter.open, fixture.partition.acceptedRecords], [3, 3]);
  assertEquals(values(fixture.lanes[0].read()), ["before", "one", large]);
  body.writer.endRecord(0, NO_KEY, 0, -1);
  assertEquals(fixture.partition.handOver(body, counter, true).records, 1);
  assertEquals(values(fixture.lanes[0].read()), [large]);
});

Deno.test("ResultPartition.handOver() gives back nothing that was handed over when the rest is taken back", () => {
  const fixture = new Fixture({ sink: "a" });
  const body = fixture.body();
  write(body, "one");
  fixture.partition.handOver(body, null, false);
  write(body, "two".repeat(SEGMENT_BYTES));
  assertEquals(fixture.pool.lentSegments, 4);
  body.writer.rollback();
  assertEquals([fixture.pool.lentSegments, body.segments], [1, 0]);
  assertEquals(readAndSettle(fixture.lanes[0]), ["one"]);
  assertEquals(fixture.pool.lentSegments, 0);
});

Deno.test("ResultPartition.handOver() at the end adopts the segment of the body when it has more room", () => {
  const fixture = new Fixture({ sink: "a" });
  fixture.commit(["x".repeat(150)]);
  const body = fixture.body();
  write(body, "body");
  fixture.partition.handOver(body, null, true);
  assertEquals(readAndSettle(fixture.lanes[0]), ["x".repeat(150), "body"]);
  assertEquals(fixture.pool.lentSegments, 1);
  fixture.commit(["y".repeat(150)]);
  assertEquals([fixture.pool.lentSegments, fixture.partition.openRecords(0)], [1, 1]);
  fixture.partition.flush();
  assertEquals(readAndSettle(fixture.lanes[0]), ["y".repeat(150)]);
});

Deno.test("ResultPartition.handOver() at the end gives the body's segment back when the open one has more room", () => {
  const fixture = new Fixture({ sink: "a" });
  fixture.commit(["x"]);
  const body = fixture.body();
  write(body, "b".repeat(150));
  fixture.partition.handOver(body, null, true);
  assertEquals(readAndSettle(fixture.lanes[0]), ["x", "b".repeat(150)]);
  assertEquals(fixture.pool.lentSegments, 1);
  fixture.commit(["y".repeat(150)]);
  assertEquals(fixture.pool.lentSegments, 1);
});

Deno.test("ResultPartition.handOver() at the end of a body with nothing left lets go of all its segments", () => {
  // A record that began in a new segment was taken back: the full one before it was still held, too.
  const fixture = new Fixture({ sink: "a" });
  fixture.commit(["x".repeat(150)]);
  const body = fixture.body();
  write(body, "b".repeat(SEGMENT_BYTES - 50));
  fixture.partition.handOver(body, null, false);
  body.writer.startRecord();
  body.writer.abortRecord();
  assertEquals(body.segments, 2);
  assertEquals(fixture.partition.handOver(body, null, true).records, 0);
  assertEquals(readAndSettle(fixture.lanes[0]), ["x".repeat(150), "b".repeat(SEGMENT_BYTES - 50)]);
  assertEquals(fixture.pool.lentSegments, 1);
});

Deno.test("ResultPartition.handOver() takes a body that holds nothing at all", () => {
  const fixture = new Fixture({ sink: "a" });
  assertEquals(fixture.partition.handOver(fixture.body(), null, true).records, 0);
  assertEquals([fixture.queued, fixture.pool.lentSegments], [[0], 0]);
});

Deno.test("ResultPartition tells lanes only when its books are right, so that a lane may settle at once", () => {
  const seen: number[][] = [];
  const fixture = new Fixture({ sink: "a" });
  const [lane] = fixture.lanes;
  const partition: ResultPartition = new ResultPartition({
    stream: "s",
    pool: fixture.pool,
    lanes: [lane.input],
    clock: fixture.clock,
    notify: () => {
      readAndSettle(lane);
      seen.push([
        partition.acceptedRecords,
        lane.settledRecords + lane.input.unsettledRecords + partition.openRecords(0),
      ]);
    },
  });
  fixture.partition = partition;
  fixture.commit(["x", "l".repeat(3 * SEGMENT_BYTES), "y"]);
  const body = fixture.body();
  write(body, "l".repeat(SEGMENT_BYTES));
  partition.handOver(body, null, true);
  fixture.commit(["z"]);
  partition.flush();
  assert(seen.length >= 3);
  for (const [accepted, accounted] of seen) assertEquals(accounted, accepted);
});

Deno.test("ResultPartition.close() queues what is open and lets go of its segment, whatever timer still fires", async () => {
  const fixture = new Fixture({ sink: "a" });
  fixture.commit(["x"]);
  fixture.partition.close();
  await endTurn();
  fixture.clock.advance(10);
  assertEquals([fixture.queued, fixture.partition.openRecords(0)], [[1], 0]);
  assertEquals(readAndSettle(fixture.lanes[0]), ["x"]);
  fixture.pool.lazyDestroy();
  assertEquals(fixture.network.freeSegments, 16);
});

Deno.test("PartitionLane holds its stream's pool unavailable while it is full", () => {
  const network = new NetworkBufferPool({ segments: 4, segmentBytes: SEGMENT_BYTES });
  const pool = network.createLocalPool({ name: "s", minSegments: 4 });
  const lane = new ReadingLane(0, { sink: "a", maxBuffers: 1, channel: pool.openChannel(1) });
  const partition = new ResultPartition({
    stream: "s",
    pool,
    lanes: [lane.input],
    clock: new ManualClock(),
    notify: () => {},
  });
  partition.begin(META).addRecord(bytes("x"), 0, 1, 0, -1, -1, -1);
  partition.commit(null);
  assertEquals(pool.isAvailable, true);
  partition.flush();
  assertEquals([pool.isAvailable, lane.input.full, lane.input.unsettledRecords], [false, true, 1]);
  readAndSettle(lane);
  assertEquals([pool.isAvailable, lane.input.held, lane.returned], [true, 0, 1]);
});
