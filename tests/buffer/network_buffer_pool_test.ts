/** Scenarios of Flink's `NetworkBufferPoolTest` and `BufferPoolFactoryTest`. @module */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { NetworkBufferPool, SegmentTimeoutError } from "../../src/buffer/network_buffer_pool.ts";
import { shareOut } from "../../src/buffer/shares.ts";
import { ClosedError, InsufficientSegmentsError } from "../../src/core/errors.ts";
import { ManualClock, settle } from "../support/manual_clock.ts";

const clock = new ManualClock();
const wait = { clock, timeoutMs: 50 };

function networkOf(segments: number): NetworkBufferPool {
  return new NetworkBufferPool({ segments, segmentBytes: 64 });
}

/** Opens a pool for each `[min, max]`. */
function open(network: NetworkBufferPool, ...bounds: [number, number][]) {
  return bounds.map(([minSegments, maxSegments], k) =>
    network.createLocalPool({ name: `s${k}`, minSegments, maxSegments })
  );
}

function sizes(network: NetworkBufferPool): number[] {
  return Array.from(network.pools(), (pool) => pool.size);
}

async function isDone(promise: Promise<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => true, () => true), settle().then(() => false)]);
}

Deno.test("NetworkBufferPool cuts one block into segments that do not overlap", () => {
  const network = new NetworkBufferPool({ segments: 5, segmentBytes: 128 });
  const [pool] = open(network, [5, 5]);
  const segments = Array.from({ length: 5 }, () => pool.tryRequest()!);
  assertEquals(new Set(segments.map((segment) => segment.bytes.buffer)).size, 1);
  assertEquals(segments.map((segment) => segment.bytes.byteOffset).sort((a, b) => a - b), [
    0,
    128,
    256,
    384,
    512,
  ]);
  assertEquals([network.totalSegments, network.segmentBytes, pool.segmentBytes], [5, 128, 128]);
});

Deno.test("NetworkBufferPool refuses sizes that cannot be allocated", () => {
  for (const [segments, segmentBytes] of [[0, 64], [1.5, 64], [4, 0], [4, 30]]) {
    assertThrows(
      () => new NetworkBufferPool({ segments, segmentBytes }),
      RangeError,
      "Cannot allocate segments",
    );
  }
  assertThrows(
    () => new NetworkBufferPool({ segments: 1, segmentBytes: 2 ** 52 }),
    RangeError,
    "lower buffers.segments",
  );
});

Deno.test("NetworkBufferPool.createLocalPool() shares what is guaranteed to nobody by capped headroom", () => {
  const cases: [number, [number, number][], number[]][] = [
    [1024, [[1, Infinity]], [1024]],
    [1024, [[1, Infinity], [1, Infinity]], [512, 512]],
    [10, [[1, 10]], [10]],
    [10, [[1, 10], [1, 10]], [5, 5]],
    [3, [[1, 10]], [3]],
    [3, [[1, 10], [1, 10]], [1, 2]],
    [3, [[1, 10], [1, 10], [1, 10]], [1, 1, 1]],
    [1024, [[1, 10], [1, 10], [1, Infinity]], [9, 10, 1005]],
    [100, [[4, 12], [8, 24], [2, Infinity]], [10, 20, 70]],
    [20, [[4, 12], [8, 24], [2, Infinity]], [6, 10, 4]],
    [1024, [[24, 24], [1, Infinity]], [24, 1000]],
    [10, [[3, 5], [7, 7]], [3, 7]],
  ];
  for (const [total, bounds, expected] of cases) {
    const network = networkOf(total);
    open(network, ...bounds);
    const message = `${total} segments among ${JSON.stringify(bounds)}`;
    assertEquals(sizes(network), expected, message);
  }
});

Deno.test("NetworkBufferPool.createLocalPool() leaves nothing free when three pools share three segments", () => {
  const network = networkOf(3);
  open(network, [1, 10], [1, 10], [1, 10]);
  assertEquals(network.freeSegments, 0);
});

Deno.test("shareOut() gives nothing where nobody can use it", () => {
  assertEquals(shareOut(5, []), []);
  assertEquals(shareOut(5, [0, 0]), [0, 0]);
  assertEquals(shareOut(0, [3, Infinity]), [0, 0]);
});

Deno.test("NetworkBufferPool.createLocalPool() admits guarantees only as far as they fit", () => {
  const network = networkOf(10);
  open(network, [6, 6]);
  const error = assertThrows(
    () => network.createLocalPool({ name: "logs", minSegments: 5 }),
    InsufficientSegmentsError,
    'Cannot open stream "logs": needs 5 guaranteed segments, but only 4 of 10 are not guaranteed to others; ' +
      "raise buffers.segments to at least 11",
  );
  assertEquals([error.requested, error.available, error.total], [5, 4, 10]);
  assertEquals([network.requiredSegments, sizes(network)], [6, [6]]);
  network.createLocalPool({ name: "logs", minSegments: 4 });
});

Deno.test("NetworkBufferPool.requestUnpooled() shrinks the pools, recycleUnpooled() lets them grow", async () => {
  const network = networkOf(10);
  open(network, [1, 10], [1, 10]);
  for (const [unpooled, expected] of [[2, [4, 4]], [4, [3, 3]], [6, [2, 2]]] as const) {
    const segments = await network.requestUnpooled(unpooled, wait);
    assertEquals([segments.length, sizes(network), network.requiredSegments], [
      unpooled,
      expected,
      unpooled + 2,
    ]);
    network.recycleUnpooled(segments);
    assertEquals(sizes(network), [5, 5]);
  }
});

Deno.test("NetworkBufferPool.requestUnpooled() gives segments whose release brings them home", async () => {
  const network = networkOf(4);
  const [pool] = open(network, [1, 4]);
  const [a, b] = await network.requestUnpooled(2, wait);
  assert(a.fillSeq > 0 && b.fillSeq > a.fillSeq);
  a.retain();
  a.release();
  a.release();
  b.release();
  assertEquals([pool.size, network.requiredSegments, network.lentSegments], [4, 1, 1]);
});

Deno.test("NetworkBufferPool.requestUnpooled() of none takes none, and refuses what is no number", async () => {
  const network = networkOf(1);
  assertEquals(await network.requestUnpooled(0, wait), []);
  await assertRejects(() => network.requestUnpooled(-1, wait), RangeError, "an integer from 0, but is -1");
  await assertRejects(() => network.requestUnpooled(0.5, wait), RangeError);
});

Deno.test("NetworkBufferPool.whenAvailable() is pending while all segments are taken", async () => {
  const network = networkOf(5);
  assert(await isDone(network.whenAvailable()));
  const all = await network.requestUnpooled(5, wait);
  const waiting = network.whenAvailable();
  assertStrictEquals(network.whenAvailable(), waiting);
  assertEquals([network.isAvailable, await isDone(waiting)], [false, false]);
  await assertRejects(
    () => network.requestUnpooled(1, wait),
    InsufficientSegmentsError,
    "needs 1 guaranteed segments, but only 0 of 5",
  );
  network.recycleUnpooled(all);
  assertEquals([network.isAvailable, await isDone(waiting)], [true, true]);
  await network.requestUnpooled(5, wait);
  assert(!await isDone(network.whenAvailable()));
});

Deno.test("NetworkBufferPool.whenAvailable() does not resolve for a segment that a starved pool takes", async () => {
  const network = networkOf(2);
  const [a, b] = open(network, [1, 2], [1, 2]);
  const [first, second] = [a.tryRequest()!, b.tryRequest()!];
  const waiting = network.whenAvailable();
  a.lazyDestroy();
  assertEquals([b.size, b.isAvailable], [2, false]);
  first.release();
  assertEquals([b.idleSegments, await isDone(waiting)], [1, false]);
  b.lazyDestroy();
  assert(await isDone(waiting));
  second.release();
});

Deno.test("NetworkBufferPool.requestUnpooled() waits for lent segments that it is guaranteed", async () => {
  const network = networkOf(4);
  const [pool] = open(network, [1, 4]);
  const held = Array.from({ length: 4 }, () => pool.tryRequest()!);
  let taken = 0;
  const request = network.requestUnpooled(2, wait).then((segments) => taken = segments.length);
  held.pop()!.release();
  await settle();
  assertEquals([taken, network.freeSegments], [0, 0]);
  held.pop()!.release();
  await request;
  assertEquals([taken, clock.pending], [2, 0]);
});

Deno.test("NetworkBufferPool.requestUnpooled() gives all back when time runs out", async () => {
  const network = networkOf(10);
  const [pool] = open(network, [1, 10]);
  const held = Array.from({ length: 10 }, () => pool.tryRequest()!);
  const request = assertRejects(
    () => network.requestUnpooled(2, wait),
    SegmentTimeoutError,
    "Cannot take 2 unpooled segments: they are guaranteed, but others did not give them back within 50 ms",
  );
  held.pop()!.release();
  assertEquals([network.requiredSegments, pool.size], [3, 8]);
  await clock.run(49);
  assertEquals(network.requiredSegments, 3);
  await clock.run(1);
  await request;
  assertEquals([network.requiredSegments, pool.size, pool.requestedSegments], [1, 10, 10]);
  held.forEach((segment) => segment.release());
  pool.lazyDestroy();
  assertEquals([network.freeSegments, network.requiredSegments], [10, 0]);
});

Deno.test("NetworkBufferPool.requestUnpooled() gives all back when it is aborted", async () => {
  const network = networkOf(2);
  const [pool] = open(network, [1, 2]);
  const held = [pool.tryRequest()!, pool.tryRequest()!];
  const abort = new AbortController();
  const request = assertRejects(
    () => network.requestUnpooled(1, { ...wait, signal: abort.signal }),
    Error,
    "shutting down",
  );
  abort.abort(new Error("shutting down"));
  await request;
  assertEquals([network.requiredSegments, pool.size, clock.pending], [1, 2, 0]);
  held.forEach((segment) => segment.release());
  await assertRejects(
    () => network.requestUnpooled(1, { ...wait, signal: abort.signal }),
    Error,
    "shutting down",
  );
  assertEquals(network.requiredSegments, 1);
});

Deno.test("NetworkBufferPool hands returning segments to starved pools, one each, first come first served", () => {
  const network = networkOf(6);
  const [hog] = open(network, [1, 6]);
  const held = Array.from({ length: 6 }, () => hog.tryRequest()!);
  const [b, c] = open(network, [1, 6], [1, 6]);
  assertEquals([b.isAvailable, c.isAvailable], [false, false]);
  const order: string[] = [];
  b.addAvailabilityListener(() => order.push("b"));
  c.addAvailabilityListener(() => order.push("c"));
  held.pop()!.release();
  assertEquals([order, b.idleSegments, c.idleSegments], [["b"], 1, 0]);
  const [first] = [b.tryRequest()!];
  held.pop()!.release();
  assertEquals([order, b.idleSegments, c.idleSegments], [["b", "c"], 0, 1]);
  held.pop()!.release();
  assertEquals([order, b.idleSegments], [["b", "c", "b"], 1]);
  first.release();
});

Deno.test("NetworkBufferPool tells listeners only when all pools have their new size", () => {
  const network = networkOf(12);
  const [a, b] = open(network, [1, 12], [1, 12]);
  const held = Array.from({ length: 6 }, () => a.tryRequest()!);
  const seen: number[][] = [];
  a.addAvailabilityListener(() => seen.push(sizes(network)));
  b.lazyDestroy();
  assertEquals(seen, [[12]]);
  const [c] = open(network, [4, 12]);
  c.addAvailabilityListener(() => {});
  assertEquals(sizes(network).reduce((sum, size) => sum + size), 12);
  held.forEach((segment) => segment.release());
});

Deno.test("NetworkBufferPool.getUsageWarning() warns once a value, and once that all is well again", () => {
  const network = networkOf(50);
  const create = (minSegments: number, maxSegments = Infinity) =>
    network.createLocalPool({ name: "s", minSegments, maxSegments });
  const first = create(10, 20);
  assertEquals([network.usage(), network.getUsageWarning()], [40, null]);
  create(5);
  assertEquals([network.usage(), network.getUsageWarning()], [60, null]);
  create(10, 30);
  assertEquals(network.usage(), 120);
  assert(network.getUsageWarning()!.includes("120 % of buffers.segments, so not all can grow"));
  assertEquals(network.getUsageWarning(), null);
  const last = create(10, 20);
  assertEquals(network.usage(), 160);
  assert(network.getUsageWarning()!.includes("160 %"));
  first.lazyDestroy();
  last.lazyDestroy();
  assertEquals(network.usage(), 80);
  assert(network.getUsageWarning()!.includes("80 % of buffers.segments: back to normal"));
  assertEquals(network.getUsageWarning(), null);
});

Deno.test("NetworkBufferPool.destroy() lends nothing more, tells who waits, and takes all back", async () => {
  const network = networkOf(4);
  const [pool] = open(network, [1, 4]);
  const held = Array.from({ length: 3 }, () => pool.tryRequest()!);
  const [last] = [pool.tryRequest()!];
  const available = assertRejects(() => network.whenAvailable(), ClosedError);
  const unpooled = assertRejects(() => network.requestUnpooled(2, wait), ClosedError);
  network.destroy();
  network.destroy();
  await Promise.all([available, unpooled]);
  assertEquals([pool.destroyed, clock.pending, network.requiredSegments], [true, 0, 0]);
  for (const segment of [...held, last]) segment.release();
  assertEquals([network.freeSegments, network.lentSegments, network.isAvailable], [4, 0, false]);
  assertThrows(() => open(network, [1, 1]), ClosedError, "the network buffer pool is destroyed");
  await assertRejects(() => network.requestUnpooled(1, wait), ClosedError);
  await assertRejects(() => network.whenAvailable(), ClosedError);
});
