/**
 * One request against memory, quota and time, step by step: who waits, who gives back, what is told.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { brotliCompressSync } from "node:zlib";
import { settle } from "../support/manual_clock.ts";
import { FakeStream, line, SEGMENT_BYTES } from "./fake_exchange.ts";

const kind = (sent: { exchange: { answer: { body: { type: string } } | null } }) =>
  sent.exchange.answer?.body.type?.replace("urn:weir:problem:", "");

/** Fills the stream's memory with whole bodies that the lane holds. */
function fill(stream: FakeStream): void {
  while (stream.pool.lentSegments < stream.pool.size) {
    const { answer } = stream.whole(line(900)).exchange;
    assertEquals(answer?.status, 202);
    stream.hold();
  }
}

Deno.test("IngestRequest takes a body that arrives in pieces whole or not at all", () => {
  const stream = new FakeStream({ segments: 64 });
  const bad = stream.send({ format: "json", contentLength: 20_001 });
  bad.data("[" + `${line(1000).trim()},`.repeat(19));
  assert(stream.pool.lentSegments > 10);
  assertEquals(stream.hold(), 0);
  bad.data("nope");
  assertEquals([
    bad.exchange.answer?.status,
    bad.exchange.answer?.body.accepted,
    bad.exchange.answer?.body.next,
  ], [400, 0, 0]);
  assertEquals([stream.hold(), stream.pool.lentSegments], [0, 0]);

  const good = stream.send();
  for (let k = 0; k < 19; k++) good.data(line(1000));
  assertEquals([stream.hold(), good.exchange.answer], [0, null]);
  good.end();
  assertEquals([good.exchange.answer?.status, good.exchange.answer?.body.accepted, stream.hold()], [
    202,
    19,
    19,
  ]);
});

Deno.test("IngestRequest hands a body beyond 1 MiB over as it comes, and pauses it while there is no segment", async () => {
  const stream = new FakeStream({ segments: 1400 });
  const sent = stream.send();
  const chunk = line(1000).repeat(50);
  for (let k = 0; k < 20; k++) sent.data(chunk);
  assertEquals(stream.hold(), 0);
  sent.data(chunk);
  sent.data(chunk);
  assertEquals(stream.hold(), 1100);
  for (let k = 0; k < 20 && !sent.exchange.isPaused; k++) sent.data(chunk);
  assert(sent.exchange.isPaused);
  assert(stream.pool.lentSegments >= 1400, `${stream.pool.lentSegments}`);
  stream.settle();
  await settle();
  assertEquals(sent.exchange.isPaused, false);
  sent.end();
  const { status, body } = sent.exchange.answer!;
  assertEquals([status, body.next], [202, body.accepted]);
  assertEquals(stream.door.admission.partition.acceptedRecords, body.accepted);
});

Deno.test("IngestRequest waits for a segment up to maxWaitMs, first come first served", async () => {
  const stream = new FakeStream({ segments: 4 });
  fill(stream);
  const first = stream.whole(line(900));
  const second = stream.whole(line(900));
  assertEquals([first.exchange.answer, second.exchange.answer, stream.admission.waiters], [null, null, 2]);
  // A record begins in the segment where the one before ends, so the first two give one back: for the older one.
  stream.settle(2);
  await settle();
  assertEquals([first.exchange.answer?.status, second.exchange.answer], [202, null]);
  stream.settle(1);
  await settle();
  assertEquals(second.exchange.answer?.status, 202);

  stream.hold();
  fill(stream);
  const late = stream.whole(line(900));
  stream.clock.advance(999);
  assertEquals(late.exchange.answer, null);
  stream.clock.advance(1);
  assertEquals([late.exchange.answer?.status, kind(late), stream.admission.waiters], [429, "no-buffers", 0]);
  assert(late.exchange.answer!.retryAfter >= 1);
});

Deno.test("IngestRequest is refused at once when maxWaiters wait", () => {
  const stream = new FakeStream({ segments: 4, maxWaiters: 2 });
  fill(stream);
  const waiting = [stream.whole(line(900)), stream.whole(line(900))];
  const third = stream.whole(line(900));
  assertEquals([third.exchange.answer?.status, kind(third)], [429, "no-buffers"]);
  assertEquals(waiting.map(({ exchange }) => exchange.answer), [null, null]);
});

Deno.test("IngestRequest that is younger gives back what it holds when an older one needs it, and the older one ends", async () => {
  const stream = new FakeStream({ segments: 8 });
  const older = stream.send();
  older.data(line(900));
  const younger = stream.send();
  for (let k = 0; k < 7; k++) younger.data(line(900));
  assertEquals(stream.pool.lentSegments, 8);
  older.data(line(900));
  assertEquals([younger.exchange.answer?.status, younger.exchange.answer?.left], [429, "unread"]);
  assertEquals([older.exchange.answer, older.exchange.isPaused], [null, false]);
  for (let k = 0; k < 4; k++) older.data(line(900));
  older.end();
  assertEquals([older.exchange.answer?.status, older.exchange.answer?.body.accepted], [202, 6]);
  await settle();
  assertEquals(stream.admission.gaveBack, 1);
});

Deno.test("IngestRequest that is younger waits while older ones hold everything", async () => {
  const stream = new FakeStream({ segments: 8 });
  const older = stream.send();
  for (let k = 0; k < 7; k++) older.data(line(900));
  const younger = stream.send();
  younger.data(line(900));
  younger.data(line(900));
  assertEquals([younger.exchange.answer, younger.exchange.isPaused, older.exchange.answer], [
    null,
    true,
    null,
  ]);
  older.request.onGone();
  await settle();
  assertEquals([younger.exchange.answer, younger.exchange.isPaused], [null, false]);
  younger.end();
  assertEquals(younger.exchange.answer?.status, 202);
  assertEquals(stream.hold(), 2);
});

Deno.test("IngestRequest ends a stalled streamed body with 429 and next, and closes", () => {
  const stream = new FakeStream({ segments: 16 });
  const sent = stream.send({ contentLength: 2_000_000 });
  sent.data(line(1000).repeat(40));
  assert(sent.exchange.isPaused);
  const taken = stream.hold();
  assert(taken > 5, `${taken}`);
  stream.clock.advance(4_999);
  assertEquals(sent.exchange.answer, null);
  stream.clock.advance(1);
  const { status, closes, body } = sent.exchange.answer!;
  assertEquals([status, closes, body.accepted, body.next], [429, true, taken, taken]);
});

Deno.test("IngestRequest counts a stall from the last segment that it got", async () => {
  // It was once counted from the first: a slow sink ended long bodies that went on all the time.
  const stream = new FakeStream({ segments: 16 });
  const sent = stream.send({ contentLength: 2_000_000 });
  sent.data(line(1000).repeat(400));
  for (let k = 0; k < 8; k++) {
    stream.hold();
    stream.clock.advance(3_000);
    assertEquals(sent.exchange.answer, null, `after ${(k + 1) * 3} s`);
    stream.settle();
    await settle();
  }
  stream.hold();
  stream.clock.advance(5_000);
  assertEquals(sent.exchange.answer?.status, 429);
});

Deno.test("IngestRequest takes a whole body from the quota, or nothing", () => {
  const stream = new FakeStream({ segments: 64, quota: { recordsPerSecond: 5 } });
  assertEquals(stream.whole("1\n2\n3").exchange.answer?.status, 202);
  const refused = stream.whole("1\n2\n3");
  assertEquals([refused.exchange.answer?.status, kind(refused), refused.exchange.answer?.retryAfter], [
    429,
    "quota-exceeded",
    1,
  ]);
  assertEquals(stream.whole("4\n5").exchange.answer?.status, 202);
  const never = stream.whole("1\n2\n3\n4\n5\n6");
  assertEquals([never.exchange.answer?.status, kind(never)], [413, "batch-too-large"]);
  assertEquals(stream.hold(), 5);
});

Deno.test("IngestRequest tells where the quota ended a streamed body", () => {
  const stream = new FakeStream({ segments: 1400, quota: { bytesPerSecond: 1_100_000 } });
  const sent = stream.send({ contentLength: 3_000_000 });
  const chunk = line(1000).repeat(50);
  for (let k = 0; k < 30; k++) sent.data(chunk);
  const { status, body, closes } = sent.exchange.answer!;
  assertEquals([status, kind(sent), closes], [429, "quota-exceeded", true]);
  assertEquals(body.accepted, body.next);
  assert(body.accepted >= 1_050 && body.accepted <= 1_101, `${body.accepted}`);
  assertEquals(stream.hold(), body.accepted);
});

Deno.test("IngestRequest answers 504 at deliverTimeoutMs, and its records are settled later in silence", () => {
  const stream = new FakeStream({ segments: 8, policy: { ack: "delivered" } });
  const sent = stream.whole("1\n2");
  stream.clock.advance(29_999);
  assertEquals(sent.exchange.answer, null);
  stream.clock.advance(1);
  assertEquals([sent.exchange.answer?.status, sent.exchange.answer?.body.accepted], [504, 2]);
  assertEquals(stream.hold(), 2);
  stream.settle();
});

Deno.test("IngestRequest answers 200 when the last record is settled, and 503 when the gateway stops before", () => {
  const stream = new FakeStream({ segments: 8, policy: { ack: "delivered" } });
  const served = stream.whole("1\n2");
  const stopped = stream.whole("3");
  stopped.request.answer.stop();
  assertEquals([stopped.exchange.answer?.status, stopped.exchange.answer?.body.accepted], [503, 1]);
  assertEquals(served.exchange.answer, null);
  stream.hold();
  stream.settle();
  assertEquals(served.exchange.answer?.status, 200);
});

Deno.test("IngestRequest answers 429 when all decoder windows are in use, and gives its own back at its end", async () => {
  const stream = new FakeStream({ segments: 64, decoderBytes: 20_000_000 });
  const body = brotliCompressSync(line(1000));
  const first = stream.send({ encoding: "br", contentLength: body.length });
  const second = stream.send({ encoding: "br", contentLength: body.length });
  assertEquals([second.exchange.answer?.status, kind(second)], [429, "no-buffers"]);
  first.data(body);
  first.end();
  for (let k = 0; k < 100 && first.exchange.answer === null; k++) await settle();
  assertEquals(first.exchange.answer?.status, 202);
  assertEquals(stream.decoders.usedBytes, 0);
  const gone = stream.send({ encoding: "br", contentLength: body.length });
  gone.request.onGone();
  assertEquals(stream.decoders.usedBytes, 0);
});

Deno.test("IngestRequest of a client that goes leaves nothing behind but what was handed over", () => {
  const stream = new FakeStream({ segments: 1400, policy: { ack: "delivered" } });
  const sent = stream.send();
  const chunk = line(1000).repeat(50);
  for (let k = 0; k < 22; k++) sent.data(chunk);
  const taken = stream.hold();
  assert(taken >= 1_050, `${taken}`);
  sent.request.onGone();
  stream.settle();
  assertEquals([stream.door.active.size, sent.exchange.answer], [0, null]);
  assert(
    stream.pool.lentSegments <= 1,
    `${stream.pool.lentSegments} segments of ${SEGMENT_BYTES} bytes are lent`,
  );
});
