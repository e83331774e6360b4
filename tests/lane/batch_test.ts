/** What an adapter reads of a record, wherever it stands. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { NetworkBufferPool } from "../../src/buffer/network_buffer_pool.ts";
import { InvariantError } from "../../src/core/assert.ts";
import { hashKey, plainMeta, type RecordMeta, SlotFlag } from "../../src/core/record.ts";
import { LaneBuffer, SegmentBatch } from "../../src/lane/batch.ts";
import { ResultPartition } from "../../src/partition/result_partition.ts";
import { ReadingLane } from "../partition/reading_lane.ts";
import { metaOf } from "../partition/record_path_model.ts";
import { ManualClock } from "../support/manual_clock.ts";

const SEGMENT_BYTES = 512;
const META = plainMeta(1_700_000_000_000);
const NO_KEY = new Uint8Array(0);
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (view: Uint8Array | null) => view === null ? null : new TextDecoder().decode(view);

class Fixture {
  readonly pool = new NetworkBufferPool({ segments: 16, segmentBytes: SEGMENT_BYTES })
    .createLocalPool({ name: "s", minSegments: 16 });
  readonly lane = new ReadingLane(0, { sink: "a" });
  readonly partition = new ResultPartition({
    stream: "s",
    pool: this.pool,
    lanes: [this.lane.input],
    clock: new ManualClock(),
    notify: () => {},
  });

  /** Commits whole records that stand side by side, each with its flags. */
  lines(records: readonly (readonly [string, number])[], meta: RecordMeta = META): void {
    const source = bytes(records.map(([value]) => value).join("\n"));
    const writer = this.partition.begin(meta);
    let at = 0;
    for (const [value, flags] of records) {
      const end = at + bytes(value).length;
      assert(writer.addRecord(source, at, end, flags, -1, -1, -1));
      at = end + 1;
    }
    this.partition.commit(null);
  }

  pieces(value: Uint8Array, flags = 0, key: Uint8Array = NO_KEY, meta: RecordMeta = META): void {
    const writer = this.partition.begin(meta);
    writer.startRecord();
    for (let at = 0; at < value.length;) {
      const to = Math.min(value.length, at + writer.room());
      writer.append(value, at, to);
      at = to;
    }
    writer.endRecord(flags, key, key.length, -1);
    this.partition.commit(null);
  }

  batch(): SegmentBatch {
    this.partition.flush();
    return this.lane.read()!;
  }
}

/** `[i, runEnd(i)]` from each end to the next. */
function runs(batch: SegmentBatch): [number, number][] {
  const found: [number, number][] = [];
  for (let i = 0; i < batch.count;) {
    const end = batch.runEnd(i);
    found.push([i, end]);
    i = Math.max(end, i + 1);
  }
  return found;
}

Deno.test("SegmentBatch.runEnd() takes the lines of a body, and of the next request, as one run", () => {
  const fixture = new Fixture();
  fixture.lines([["one", 0], ["two", 0]]);
  fixture.lines([["three", SlotFlag.JSON], ["", 0]]);
  const batch = fixture.batch();
  assertEquals(runs(batch), [[0, 4]]);
  assertEquals(text(batch.run(0, 4)), "one\ntwo\nthree\n\n");
  assertEquals(text(batch.run(1, 3)), "two\nthree\n");
});

Deno.test("SegmentBatch.runEnd() ends at what no line may hold, and goes on behind it", () => {
  for (const flag of [SlotFlag.NEWLINE, SlotFlag.CLOUD_EVENT]) {
    const fixture = new Fixture();
    fixture.lines([["one", 0], ["two", flag], ["three", 0], ["four", 0]]);
    const batch = fixture.batch();
    assertEquals(runs(batch), [[0, 1], [1, 1], [2, 4]]);
    assertEquals([text(batch.run(0, 1)), text(batch.run(2, 4))], ["one\n", "three\nfour\n"]);
  }
});

Deno.test("SegmentBatch.runEnd() ends at a gap, a stored key, a meta, a span and a segment", () => {
  const fixture = new Fixture();
  const writer = fixture.partition.begin(META);
  const source = bytes("a b\r\nc");
  for (const [from, to] of [[0, 1], [2, 3], [5, 6]]) writer.addRecord(source, from, to, 0, -1, -1, -1);
  fixture.partition.commit(null); // a and b are adjacent, c is not: CR and LF lay between
  fixture.pieces(bytes("keyed"), 0, bytes("k")); // adjacent to c; its key lies before what follows
  fixture.lines([["d", 0]]);
  fixture.lines([["e", 0]], plainMeta(1));
  fixture.pieces(new Uint8Array(SEGMENT_BYTES).fill(120));
  fixture.lines([["f", 0], ["g", 0]]);
  assertEquals(runs(fixture.batch()), [[0, 2], [2, 4], [4, 5], [5, 6], [6, 6], [7, 9]]);
});

Deno.test("SegmentBatch.runEnd() ends where the batch leaves out a record, or a buffer ends", () => {
  const fixture = new Fixture();
  fixture.lines([["0", 0], ["1", 0], ["2", 0], ["3", 0]]);
  fixture.partition.flush();
  fixture.lines([["4", 0]]);
  const batch = fixture.batch();
  assertEquals(runs(batch), [[0, 4], [4, 5]]);
  batch.keep(new Uint8Array([1, 1, 0, 1, 1]), 1);
  assertEquals([batch.count, batch.bytes, text(batch.value(2))], [4, 4, "3"]);
  assertEquals(runs(batch), [[0, 2], [2, 3], [3, 4]]);
});

Deno.test("SegmentBatch reads a record over three segments, and its key behind it, byte for byte", () => {
  const key = bytes("k".repeat(SEGMENT_BYTES));
  for (let length = 2 * SEGMENT_BYTES - 60; length < 2 * SEGMENT_BYTES + 60; length++) {
    const fixture = new Fixture();
    const value = Uint8Array.from({ length }, (_, k) => k * 7);
    fixture.lines([["before", 0]]);
    fixture.pieces(value, 0, key);
    fixture.lines([["after", 0]]);
    const batch = fixture.batch();
    assertEquals([0, 2].map((i) => text(batch.value(i))), ["before", "after"]);
    assertEquals(batch.value(1), value);
    const target = new Uint8Array(length + 2);
    assertEquals(batch.copyValue(1, target, 1), length);
    assertEquals(target.subarray(1, length + 1), value);
    assertEquals([target[0], target[length + 1]], [0, 0]);
    assertEquals(new Uint8Array(batch.valueParts(1).flatMap((part) => [...part])), value);
    assertEquals(batch.key(1), key);
    assertEquals(batch.keyHash(1), hashKey(key, 0, key.length));
  }
});

Deno.test("SegmentBatch.valueParts() gives one view of a record in one segment, and of an empty one", () => {
  const fixture = new Fixture();
  fixture.lines([["one", 0], ["", 0]]);
  const batch = fixture.batch();
  assertEquals([0, 1].map((i) => batch.valueParts(i).map(text)), [["one"], [""]]);
  assertEquals(batch.valueParts(0)[0].buffer, batch.value(0).buffer, "no copy");
});

Deno.test("SegmentBatch.headers() are those of the record's own request, decoded once for all of them", () => {
  const fixture = new Fixture();
  const [one, two] = ["one", "zwö"].map((value) =>
    metaOf({ acceptedAtMs: 2 ** 41 + 3, id: "", key: "shared", headers: [["h", value], ["empty", ""]] })
  );
  fixture.lines([["1", SlotFlag.KEY_SHARED], ["2", SlotFlag.KEY_SHARED]], one);
  fixture.lines([["3", SlotFlag.KEY_SHARED]], two);
  fixture.lines([["4", 0]]);
  const batch = fixture.batch();
  assertEquals([0, 2, 0, 3].map((i) => batch.headers(i)), [
    [["h", "one"], ["empty", ""]],
    [["h", "zwö"], ["empty", ""]],
    [["h", "one"], ["empty", ""]],
    [],
  ]);
  assert(batch.headers(0) === batch.headers(1));
  assertEquals([0, 1, 2, 3].map((i) => text(batch.key(i))), ["shared", "shared", "shared", null]);
  assertEquals([2, 3].map((i) => batch.acceptedAtMs(i)), [2 ** 41 + 3, META.acceptedAtMs]);
});

Deno.test("SegmentBatch.id() is the same for every lane and attempt, and never the same for two records", () => {
  const fixture = new Fixture();
  const other = new ReadingLane(1, { sink: "b" });
  const partition = new ResultPartition({
    stream: "s",
    pool: fixture.pool,
    lanes: [fixture.lane.input, other.input],
    clock: new ManualClock(),
    notify: () => {},
  });
  const ids = new Set<string>();
  for (let round = 0; round < 40; round++) {
    for (let k = 0; k < 20; k++) {
      partition.begin(META).addRecord(bytes("x"), 0, 1, 0, -1, -1, -1);
      partition.commit(null);
    }
    partition.flush();
    const [one, two] = [fixture.lane.read()!, other.read()!];
    const part = one.slice(3, 9);
    for (let i = 0; i < one.count; i++) {
      ids.add(one.id(i));
      assertEquals(two.id(i), one.id(i));
      if (i >= 3 && i < 9) assertEquals(part.id(i - 3), one.id(i));
    }
    fixture.lane.settleAll(one);
    other.settleAll(two);
  }
  assertEquals(ids.size, 40 * 20);
});

Deno.test("SegmentBatch.id() of a CloudEvent is made of its source and id, in both modes", () => {
  const fixture = new Fixture();
  fixture.lines(
    [["body", SlotFlag.CLOUD_EVENT]],
    metaOf({ acceptedAtMs: 1, id: "/src#7", key: "", headers: [["ce-id", "7"]] }),
  );
  const event = `{"pad":"${"p".repeat(SEGMENT_BYTES)}","source":"/src","id":"\\u0038"}`;
  fixture.lines([[`{"id":"8","source":"/src"}`, SlotFlag.CLOUD_EVENT_JSON | SlotFlag.JSON]]);
  fixture.pieces(bytes(event), SlotFlag.CLOUD_EVENT_JSON | SlotFlag.JSON);
  const batch = fixture.batch();
  assertEquals([0, 1, 2].map((i) => batch.id(i)), ["/src#7", "/src#8", "/src#8"]);
  assertEquals([0, 1].map((i) => batch.isCloudEvent(i)), [true, false]);
});

Deno.test("SegmentBatch.copyId() writes the id, whoever gave it, or nothing where it has no room", () => {
  const fixture = new Fixture();
  fixture.lines([["own", 0], ["own too", 0]]);
  fixture.lines([["given", 0]], metaOf({ acceptedAtMs: 1, id: "/é#7", key: "", headers: [] }));
  fixture.lines([[`{"id":"8","source":"/src"}`, SlotFlag.CLOUD_EVENT_JSON | SlotFlag.JSON]]);
  const batch = fixture.batch();
  for (let i = 0; i < batch.count; i++) {
    const id = bytes(batch.id(i));
    const target = new Uint8Array(3 + id.length);
    assertEquals(batch.copyId(i, target, 3), id.length);
    assertEquals(target.subarray(3), id);
    assertEquals(batch.copyId(i, target, 4), -1);
  }
});

Deno.test("SegmentBatch.slice() shares buffers and attempt with its whole, and counts its own bytes", () => {
  const fixture = new Fixture();
  fixture.lines(["a", "bb", "ccc", "dddd"].map((value) => [value, SlotFlag.JSON] as const));
  const batch = fixture.batch();
  batch.attempt = 3;
  batch.keyed = true;
  batch.acceptedAtMsOldest = 9;
  const part = batch.slice(1, 3);
  assertEquals([part.count, part.bytes, part.attempt, part.keyed, part.acceptedAtMsOldest], [
    2,
    5,
    3,
    true,
    9,
  ]);
  part.keep(new Uint8Array([0, 1]), 1);
  assertEquals([part.count, part.bytes, text(part.value(0)), part.slot(0)], [1, 3, "ccc", 2]);
  assertEquals([batch.count, batch.bytes, text(batch.value(1))], [4, 10, "bb"]);
});

Deno.test("SegmentBatch.push() takes more buffers than 15 bits count", () => {
  const fixture = new Fixture();
  fixture.lines([["a", 0], ["b", 0]]);
  const { buffer } = fixture.batch().laneBuffer(0);
  const batch = new SegmentBatch("s", "id-");
  for (let k = 0; k < 40_000; k++) {
    batch.buffers.push(new LaneBuffer(buffer));
    batch.push(0, 1);
    batch.push(1, 1);
  }
  const last = batch.count - 1;
  assertEquals([batch.count, batch.slot(last), batch.laneBuffer(last) === batch.buffers[39_999]], [
    80_000,
    1,
    true,
  ]);
  assertEquals([text(batch.value(last - 1)), text(batch.value(last))], ["a", "b"]);
  assertEquals(batch.runEnd(last - 1), batch.count);
});

Deno.test("SegmentBatch.value() of a record whose rest is not here breaks an invariant, rather than make bytes up", () => {
  const fixture = new Fixture();
  fixture.pieces(new Uint8Array(2 * SEGMENT_BYTES));
  const batch = fixture.batch();
  batch.laneBuffer(0).next = null;
  assertThrows(() => batch.value(0), InvariantError, "chain");
});
