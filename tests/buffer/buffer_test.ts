/** References to a segment: who holds it, and when it goes home. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { RecordBuffer } from "../../src/buffer/buffer.ts";
import { NetworkBufferPool } from "../../src/buffer/network_buffer_pool.ts";
import { Segment } from "../../src/buffer/segment.ts";
import { InvariantError } from "../../src/core/assert.ts";

function bufferOn(segment: Segment, firstSlot: number, endSlot: number): RecordBuffer<string> {
  return new RecordBuffer<string>({
    segment,
    firstSlot,
    endSlot,
    continues: false,
    next: null,
    spanCounters: ["c"],
    spanEnds: [endSlot],
    acceptedAtMs: 5,
  });
}

function lentSegment() {
  const pool = new NetworkBufferPool({ segments: 1, segmentBytes: 64 })
    .createLocalPool({ name: "s", minSegments: 1 });
  return { pool, segment: pool.tryRequest()! };
}

Deno.test("RecordBuffer.release() sends the segment home with the last holder of the last buffer on it", () => {
  const { pool, segment } = lentSegment();
  const [one, two] = [bufferOn(segment, 0, 2), bufferOn(segment, 2, 3)];
  segment.release(); // who filled it
  one.retain();
  one.release();
  two.release();
  assertEquals([pool.lentSegments, segment.holders], [1, 1]);
  one.release();
  assertEquals([pool.lentSegments, segment.holders], [0, 0]);
});

Deno.test("RecordBuffer.release() twice by one holder is refused, and so is a hold after the last release", () => {
  const { segment } = lentSegment();
  const buffer = bufferOn(segment, 0, 1);
  buffer.release();
  assertThrows(() => buffer.release(), InvariantError);
  assertThrows(() => buffer.retain(), InvariantError);
  assertEquals(segment.holders, 1, "the segment of others is untouched");
});

Deno.test("RecordBuffer.records counts the range, and none where a record only runs through", () => {
  const { segment } = lentSegment();
  assertEquals([bufferOn(segment, 2, 5).records, bufferOn(segment, 0, 0).records], [3, 0]);
});

Deno.test("Segment.lend() gives an empty segment with one holder, and not one that is still held", () => {
  const { pool, segment } = lentSegment();
  segment.fill = 20;
  segment.slots = 1;
  const firstSeq = segment.fillSeq;
  assertThrows(() => segment.lend(pool), InvariantError);
  segment.release();
  const again = pool.tryRequest()!;
  assertEquals([again === segment, again.fill, again.slots, again.holders], [true, 0, 0, 1]);
  assertEquals(again.fillSeq > firstSeq, true);
});

Deno.test("Segment.release() and retain() refuse what nobody holds", () => {
  const { segment } = lentSegment();
  segment.release();
  assertThrows(() => segment.release(), InvariantError);
  assertThrows(() => segment.retain(), InvariantError);
});

Deno.test("Segment.words are the same bytes, of this segment only", () => {
  const block = new ArrayBuffer(96);
  const segment = new Segment(1, block, 32, 32);
  segment.words[0] = 0x04030201;
  segment.words[7] = 0xffffffff;
  assertEquals([...new Uint8Array(block, 28, 8)], [0, 0, 0, 0, 1, 2, 3, 4]);
  assertEquals([...new Uint8Array(block, 60, 8)], [255, 255, 255, 255, 0, 0, 0, 0]);
});
