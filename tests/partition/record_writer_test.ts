/** Where the writer puts bytes, what it takes back, and what it holds. @module */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { NetworkBufferPool } from "../../src/buffer/network_buffer_pool.ts";
import type { Segment } from "../../src/buffer/segment.ts";
import { InvariantError } from "../../src/core/assert.ts";
import {
  hashKey,
  META_WORDS,
  plainMeta,
  SLOT_BYTES,
  SLOT_WORDS,
  SlotFlag,
  SlotWord,
} from "../../src/core/record.ts";
import { RecordWriter } from "../../src/partition/record_writer.ts";

const SEGMENT_BYTES = 256;
const META_BYTES = META_WORDS * 4;
/** Largest value that a fresh segment holds with its LF. */
const LARGEST = SEGMENT_BYTES - META_BYTES - SLOT_BYTES - 1;
const NO_KEY = new Uint8Array(0);
const META = plainMeta(1_700_000_000_000);

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (view: Uint8Array) => new TextDecoder().decode(view);

class Fixture {
  readonly pool;
  /** Segments that the source still gives; Infinity gives what the pool has. */
  allowed = Infinity;
  readonly writer: RecordWriter;

  constructor(segments = 8) {
    this.pool = new NetworkBufferPool({ segments, segmentBytes: SEGMENT_BYTES })
      .createLocalPool({ name: "s", minSegments: segments });
    this.writer = new RecordWriter(
      () => this.allowed-- > 0 ? this.pool.tryRequest() : null,
      SEGMENT_BYTES,
    );
    this.writer.mark(META);
  }

  add(source: Uint8Array, from = 0, to = source.length): boolean {
    return this.writer.addRecord(source, from, to, 0, -1, -1, -1);
  }

  /** Appends as much of `value` as there is room for; returns how much that is. */
  append(value: Uint8Array): number {
    let at = 0;
    while (at < value.length) {
      const room = this.writer.room();
      if (room === 0) break;
      const to = Math.min(value.length, at + room);
      this.writer.append(value, at, to);
      at = to;
    }
    return at;
  }

  pieces(value: Uint8Array, key = NO_KEY): void {
    assert(this.writer.startRecord());
    assertEquals(this.append(value), value.length);
    assert(this.writer.endRecord(0, key, key.length, -1));
  }
}

function slot(segment: Segment, index: number, word: number): number {
  return segment.words[segment.words.length - (index + 1) * SLOT_WORDS + word];
}

function flags(segment: Segment, index: number): number {
  return slot(segment, index, SlotWord.FLAGS_AND_KEY_LENGTH) & 0xffff;
}

/** Everything that a segment stores, as far as it counts. */
function stored(segment: Segment): unknown {
  const slots = segment.bytes.slice(segment.bytes.length - segment.slots * SLOT_BYTES);
  return { fill: segment.fill, slots, front: segment.bytes.slice(0, segment.fill) };
}

Deno.test("RecordWriter.addRecord() stores the lines of a body as they stand, in one copy", () => {
  const fixture = new Fixture();
  const { writer } = fixture;
  const source = bytes("one\ntwo\nthree");
  for (const [from, to] of [[0, 3], [4, 7], [8, 13]]) fixture.add(source, from, to);
  writer.flushCopies();
  const segment = writer.open!;
  assertEquals(text(segment.bytes.subarray(META_BYTES, segment.fill)), "one\ntwo\nthree\n");
  assertEquals([writer.records, writer.bytes], [3, 11]);
});

Deno.test("RecordWriter.addRecord() writes an LF behind each record, whatever stood between them", () => {
  const fixture = new Fixture();
  const { writer } = fixture;
  const source = bytes("[1,\r\n 22 ,333____________________4]");
  for (const [from, to] of [[1, 2], [6, 8], [10, 13], [33, 34]]) fixture.add(source, from, to);
  writer.flushCopies();
  const segment = writer.open!;
  for (const [index, value] of ["1", "22", "333", "4"].entries()) {
    const from = slot(segment, index, SlotWord.VALUE_OFFSET);
    assertEquals(text(segment.bytes.subarray(from, from + value.length + 1)), `${value}\n`);
  }
  const [third, fourth] = [2, 3].map((index) => slot(segment, index, SlotWord.VALUE_OFFSET));
  assertEquals(fourth, third + 4, "what lies unused between two records of one copy is bounded");
});

Deno.test("RecordWriter.addRecord() keeps apart records that touch in their source", () => {
  const fixture = new Fixture();
  const source = bytes("ab");
  fixture.add(source, 0, 1);
  fixture.add(source, 1, 2);
  fixture.writer.flushCopies();
  const segment = fixture.writer.open!;
  assertEquals(text(segment.bytes.subarray(META_BYTES, segment.fill)), "a\nb\n");
});

Deno.test("RecordWriter.addRecord() takes a record that exactly fills a segment, and the next one starts another", () => {
  const fixture = new Fixture();
  const { writer } = fixture;
  assert(fixture.add(new Uint8Array(LARGEST).fill(97)));
  writer.flushCopies();
  const [first] = writer.segments;
  assertEquals(first.fill + SLOT_BYTES, SEGMENT_BYTES);
  assertEquals(first.bytes[first.fill - 1], 10);
  assertEquals(flags(first, 0), 0);
  assert(fixture.add(bytes("x")));
  assertEquals(writer.segments.length, 2);
  assertEquals(writer.continued, [false, false]);
});

Deno.test("RecordWriter.addRecord() refuses what fits no segment, and takes none for it", () => {
  const fixture = new Fixture();
  assertEquals(fixture.add(new Uint8Array(LARGEST + 1)), false);
  assertEquals([fixture.writer.records, fixture.pool.lentSegments], [0, 0]);
});

Deno.test("RecordWriter.addRecord() starts a new segment for a small record and refuses a large one, to be spanned", () => {
  const fixture = new Fixture();
  fixture.add(new Uint8Array(LARGEST - SLOT_BYTES - 10));
  assertEquals(fixture.add(new Uint8Array(SEGMENT_BYTES / 8 + 1)), false);
  assertEquals(fixture.writer.segments.length, 1);
  assert(fixture.add(new Uint8Array(SEGMENT_BYTES / 8)));
  assertEquals(fixture.writer.segments.length, 2);
});

Deno.test("RecordWriter.addRecord() stores an inline key by its place, and takes an empty one for none", () => {
  const fixture = new Fixture();
  const { writer } = fixture;
  const source = bytes(`{"k":"key"}`);
  const hash = hashKey(source, 6, 9);
  writer.addRecord(source, 0, source.length, 0, 6, 9, hash);
  writer.addRecord(source, 0, source.length, 0, 6, 6, hashKey(source, 6, 6));
  writer.addRecord(source, 0, source.length, 0, 6, 6, hashKey(source, 6, 6));
  writer.flushCopies();
  const segment = writer.open!;
  const from = slot(segment, 0, SlotWord.KEY_OFFSET);
  assertEquals(text(segment.bytes.subarray(from, from + 3)), "key");
  assertEquals(slot(segment, 0, SlotWord.KEY_HASH), hash);
  assertEquals([1, 2].map((index) => flags(segment, index) & SlotFlag.KEY_INLINE), [0, 0]);
  // Without key they go round the lanes, not all to that of the empty key.
  assertNotEquals(slot(segment, 1, SlotWord.KEY_HASH) % 2, slot(segment, 2, SlotWord.KEY_HASH) % 2);
});

Deno.test("RecordWriter() spreads records without key, and bodies of one record, evenly over lanes", () => {
  for (const lanes of [2, 3, 4, 7]) {
    const perLane = new Array(lanes).fill(0);
    for (let turn = 1; turn <= 700; turn++) {
      const pool = new NetworkBufferPool({ segments: 1, segmentBytes: SEGMENT_BYTES })
        .createLocalPool({ name: "s", minSegments: 1 });
      const writer = new RecordWriter(() => pool.tryRequest(), SEGMENT_BYTES, turn);
      writer.mark(META);
      writer.addRecord(bytes("x"), 0, 1, 0, -1, -1, -1);
      perLane[slot(writer.open!, 0, SlotWord.KEY_HASH) % lanes]++;
    }
    for (const records of perLane) assert(Math.abs(records - 700 / lanes) <= 10, `${perLane}`);
  }
});

Deno.test("RecordWriter.mark() stores what requests share at a multiple of 4, once for the same object", () => {
  const fixture = new Fixture();
  const { writer } = fixture;
  fixture.add(bytes("a"));
  writer.flushCopies();
  writer.mark(META);
  fixture.add(bytes("bcd"));
  writer.flushCopies();
  writer.mark(plainMeta(1));
  fixture.add(bytes("e"));
  writer.flushCopies();
  const metas = [0, 1, 2].map((index) => slot(writer.open!, index, SlotWord.META_OFFSET));
  assertEquals(metas, [0, 0, META_BYTES + 8]); // "a\n" and "bcd\n" end at byte 6 behind the first meta
});

Deno.test("RecordWriter.endRecord() puts the LF into the next segment when the value fills the first", () => {
  const fixture = new Fixture();
  fixture.pieces(new Uint8Array(LARGEST + 1).fill(97));
  const [first, second] = fixture.writer.segments;
  assertEquals(first.fill + SLOT_BYTES, SEGMENT_BYTES);
  assertEquals([second.fill, second.bytes[0], second.slots], [1, 10, 0]);
  assertEquals(flags(first, 0), SlotFlag.SPANS);
  assertEquals(fixture.writer.continued, [false, true]);
});

Deno.test("RecordWriter.endRecord() puts the key behind value and LF, over as many segments as it takes", () => {
  const fixture = new Fixture();
  const key = new Uint8Array(SEGMENT_BYTES + 50).fill(107);
  fixture.pieces(new Uint8Array(LARGEST - 1).fill(97), key);
  const [first, second, third] = fixture.writer.segments;
  assertEquals(first.bytes.subarray(first.fill - 3, first.fill), bytes("a\nk"));
  assertEquals([second.fill, third.fill], [SEGMENT_BYTES, 49]);
  assertEquals(flags(first, 0), SlotFlag.SPANS | SlotFlag.KEY_AFTER);
  assertEquals(slot(first, 0, SlotWord.KEY_HASH), hashKey(key, 0, key.length));
});

Deno.test("RecordWriter.endRecord() goes on where it stopped for want of a segment", () => {
  const fixture = new Fixture();
  const { writer } = fixture;
  fixture.allowed = 1;
  const key = bytes("key");
  assert(writer.startRecord());
  fixture.append(new Uint8Array(LARGEST).fill(97));
  assertEquals(writer.endRecord(0, key, 3, -1), false);
  assertEquals(writer.endRecord(0, key, 3, -1), false);
  assertEquals([writer.inRecord, writer.records], [true, 0]);
  fixture.allowed = 1;
  assert(writer.endRecord(0, key, 3, -1));
  const [first, second] = writer.segments;
  assertEquals(first.bytes[first.fill - 1], 10);
  assertEquals(text(second.bytes.subarray(0, second.fill)), "key");
});

Deno.test("RecordWriter.room() uses the whole of a segment that a record only passes through", () => {
  const fixture = new Fixture();
  fixture.pieces(new Uint8Array(LARGEST + 1 + 2 * SEGMENT_BYTES + 5));
  assertEquals(fixture.writer.segments.map(({ fill, slots }) => [fill, slots]), [
    [SEGMENT_BYTES - SLOT_BYTES, 1],
    [SEGMENT_BYTES, 0],
    [SEGMENT_BYTES, 0],
    [6, 0],
  ]);
  assertEquals(fixture.writer.continued, [false, true, true, true]);
});

Deno.test("RecordWriter.startRecord() goes on behind the end of a record that spanned, with the meta anew", () => {
  const fixture = new Fixture();
  const { writer } = fixture;
  fixture.pieces(new Uint8Array(LARGEST + 3));
  fixture.add(bytes("small"));
  fixture.pieces(bytes("piece"));
  writer.flushCopies();
  const last = writer.open!;
  assertEquals([writer.segments.length, last.slots], [2, 2]);
  assertEquals(slot(last, 0, SlotWord.META_OFFSET), 4); // the record's last two bytes and its LF end at 3
  assertEquals(slot(last, 1, SlotWord.META_OFFSET), 4);
});

Deno.test("RecordWriter.rollback() restores the open segment and gives back what a spanning request took", () => {
  const fixture = new Fixture();
  const { writer, pool } = fixture;
  fixture.add(bytes("kept"));
  writer.flushCopies();
  const before = stored(writer.open!);
  const open = writer.open!;
  for (const meta of [META, plainMeta(2)]) {
    writer.mark(meta);
    fixture.add(bytes("lost"));
    fixture.pieces(new Uint8Array(3 * SEGMENT_BYTES));
    assertEquals(pool.lentSegments, 4);
    writer.startRecord();
    writer.rollback();
    assertEquals([pool.lentSegments, writer.records, writer.inRecord], [1, 0, false]);
    assertEquals(writer.open, open);
    assertEquals(stored(open), before);
  }
  writer.mark(META);
  fixture.add(bytes("more"));
  writer.flushCopies();
  assertEquals(slot(open, 1, SlotWord.META_OFFSET), 0, "the meta from before is used again");
});

Deno.test("RecordWriter.rollback() leaves a writer without segments when it had none", () => {
  const fixture = new Fixture();
  fixture.pieces(new Uint8Array(2 * SEGMENT_BYTES));
  fixture.writer.rollback();
  assertEquals([fixture.writer.open, fixture.pool.lentSegments], [null, 0]);
});

Deno.test("RecordWriter.abortRecord() gives back only what the record took", () => {
  const fixture = new Fixture();
  const { writer, pool } = fixture;
  fixture.add(bytes("kept"));
  writer.flushCopies();
  const before = stored(writer.open!);
  writer.startRecord();
  fixture.append(new Uint8Array(2 * SEGMENT_BYTES));
  assertEquals(pool.lentSegments, 3);
  writer.abortRecord();
  assertEquals([pool.lentSegments, writer.records], [1, 1]);
  assertEquals(stored(writer.open!), before);
  assertThrows(() => writer.abortRecord(), InvariantError);
});

Deno.test("RecordWriter.abortRecord() takes back the meta that was written for the record", () => {
  const fixture = new Fixture();
  const { writer } = fixture;
  writer.startRecord();
  fixture.append(bytes("lost"));
  writer.abortRecord();
  assertEquals(writer.open!.fill, 0);
  fixture.add(bytes("kept"));
  writer.flushCopies();
  assertEquals(slot(writer.open!, 0, SlotWord.META_OFFSET), 0);
  assertEquals(slot(writer.open!, 0, SlotWord.VALUE_OFFSET), META_BYTES);
});

Deno.test("RecordWriter.handedOver() keeps the segment that a record in progress began in", () => {
  const fixture = new Fixture();
  const { writer, pool } = fixture;
  fixture.pieces(new Uint8Array(LARGEST + 3)); // segments 0 and 1
  writer.startRecord(); // begins in 1
  fixture.append(new Uint8Array(SEGMENT_BYTES)); // runs on into 2
  assertEquals([writer.segments.length, writer.endedSegments], [3, 2]);
  const began = writer.segments[1];
  writer.handedOver(2);
  assertEquals([pool.lentSegments, writer.records, writer.bytes], [2, 0, 0]);
  assertEquals(writer.segments[0], began);
  assertEquals(writer.continued, [false, true]);
  assertEquals(writer.endedSegments, 1);
  assert(writer.endRecord(0, NO_KEY, 0, -1));
  assertEquals([began.slots, writer.records, writer.bytes, writer.endedSegments], [1, 1, SEGMENT_BYTES, 2]);
  writer.rollback();
  assertEquals(pool.lentSegments, 0);
});

Deno.test("RecordWriter refuses what is out of order", () => {
  const fixture = new Fixture();
  const { writer } = fixture;
  fixture.add(bytes("x"));
  assertThrows(() => writer.mark(META), InvariantError, "between records");
  assertThrows(() => writer.handedOver(1), InvariantError, "copied");
  writer.flushCopies();
  writer.startRecord();
  assertThrows(() => writer.startRecord(), InvariantError, "one record at a time");
  assertThrows(() => fixture.add(bytes("y")), InvariantError, "one record at a time");
  assertThrows(() => writer.append(new Uint8Array(SEGMENT_BYTES), 0, SEGMENT_BYTES), InvariantError, "room");
  assertThrows(() => writer.detach(), InvariantError, "between records");
});
