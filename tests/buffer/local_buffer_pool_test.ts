/** Scenarios of Flink's `LocalBufferPoolTest`, and what one thread adds to them. @module */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { LocalBufferPool, type SegmentListener } from "../../src/buffer/local_buffer_pool.ts";
import { NetworkBufferPool, SegmentTimeoutError } from "../../src/buffer/network_buffer_pool.ts";
import type { Segment } from "../../src/buffer/segment.ts";
import { InvariantError } from "../../src/core/assert.ts";
import { ClosedError } from "../../src/core/errors.ts";
import { ManualClock, settle } from "../support/manual_clock.ts";

type PoolSizes = Omit<Parameters<NetworkBufferPool["createLocalPool"]>[0], "name">;

function setUp(segments: number, sizes: PoolSizes): { network: NetworkBufferPool; pool: LocalBufferPool } {
  const network = new NetworkBufferPool({ segments, segmentBytes: 64 });
  return { network, pool: network.createLocalPool({ name: "logs", ...sizes }) };
}

function request(pool: LocalBufferPool, count: number): Segment[] {
  const segments: Segment[] = [];
  for (let k = 0; k < count; k++) {
    const segment = pool.tryRequest();
    assert(segment !== null, "the pool has a segment");
    segments.push(segment!);
  }
  return segments;
}

class Listener implements SegmentListener {
  readonly got: Segment[] = [];
  offers = 0;
  destroyed = 0;
  readonly #answer: (segment: Segment, self: Listener) => boolean;
  constructor(answer: (segment: Segment, self: Listener) => boolean = () => true) {
    this.#answer = answer;
  }
  onSegment(segment: Segment): boolean {
    this.offers++;
    const taken = this.#answer(segment, this);
    if (taken) this.got.push(segment);
    return taken;
  }
  onDestroyed(): void {
    this.destroyed++;
  }
}

async function isDone(promise: Promise<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => true, () => true), settle().then(() => false)]);
}

Deno.test("LocalBufferPool.tryRequest() fetches one segment ahead and gives null when all are taken", () => {
  const { network, pool } = setUp(1024, { minSegments: 1 });
  assertEquals(pool.size, 1024);
  for (let taken = 0; taken <= 1024; taken++) {
    assertEquals(network.lentSegments, Math.min(taken + 1, 1024));
    assertEquals(pool.isAvailable, taken < 1024);
    assertEquals(pool.tryRequest() !== null, taken < 1024);
  }
});

Deno.test("LocalBufferPool.tryRequest() gives each lending a number that never came before", () => {
  const { network, pool } = setUp(4, { minSegments: 1 });
  const other = network.createLocalPool({ name: "other", minSegments: 1 });
  let last = 0;
  for (let round = 0; round < 20; round++) {
    const segment = (round % 2 === 0 ? pool : other).tryRequest()!;
    assert(segment.fillSeq > last);
    last = segment.fillSeq;
    segment.release();
  }
});

Deno.test("LocalBufferPool.tryRequest() lends what came back last, empty and with one holder", () => {
  const { pool } = setUp(8, { minSegments: 4 });
  const [a, b] = request(pool, 2);
  a.fill = 12;
  a.slots = 1;
  b.release();
  a.release();
  const again = pool.tryRequest()!;
  assertStrictEquals(again, a);
  assertEquals([again.fill, again.slots, again.holders], [0, 0, 1]);
});

Deno.test("LocalBufferPool.setSize() bounds what is lent, up to maxSegments", () => {
  const { pool } = setUp(16, { minSegments: 1, maxSegments: 2 });
  pool.setSize(1);
  const [only] = request(pool, 1);
  assertEquals(pool.tryRequest(), null);
  only.release();
  assertEquals(pool.idleSegments, 1);
  for (const size of [2, 3]) {
    pool.setSize(size);
    assertEquals([pool.size, pool.idleSegments], [2, 1]);
    const both = request(pool, 2);
    assertEquals(pool.tryRequest(), null);
    both.forEach((segment) => segment.release());
    assertEquals(pool.idleSegments, 2);
    pool.setSize(1);
    assertEquals(pool.idleSegments, 1);
  }
});

Deno.test("LocalBufferPool.setSize() pays overdraft off first, then becomes available", () => {
  for (const [size, overdraft, idle] of [[5, 2, 0], [6, 1, 0], [7, 0, 0], [8, 0, 1]]) {
    const { pool } = setUp(20, { minSegments: 5, maxSegments: 10, maxOverdraft: 2 });
    pool.setSize(5);
    request(pool, 7);
    assertEquals(pool.tryRequest(), null);
    pool.setSize(size);
    assertEquals([pool.overdraftSegments, pool.idleSegments, pool.isAvailable], [overdraft, idle, idle > 0]);
  }
  const { pool } = setUp(20, { minSegments: 5, maxSegments: 10, maxOverdraft: 2 });
  request(pool, 10);
  pool.setSize(10);
  assertEquals([pool.overdraftSegments, pool.idleSegments, pool.isAvailable], [0, 0, false]);
});

Deno.test("LocalBufferPool.tryRequest() takes no overdraft of what another pool is guaranteed", () => {
  const network = new NetworkBufferPool({ segments: 5, segmentBytes: 1024 });
  const pool = network.createLocalPool({ name: "a", minSegments: 2, maxSegments: 2, maxOverdraft: 5 });
  const other = network.createLocalPool({ name: "b", minSegments: 2, maxSegments: 2 });
  const held = [pool.tryRequest(), pool.tryRequest(), pool.tryRequest()];
  assertEquals(held.map((segment) => segment !== null), [true, true, true]);
  assertEquals(pool.tryRequest(), null);
  assertEquals([other.tryRequest(), other.tryRequest()].map((segment) => segment !== null), [true, true]);
});

Deno.test("LocalBufferPool.tryRequest() takes overdraft only where the caller allows it", () => {
  const { pool } = setUp(20, { minSegments: 1, maxSegments: 1, maxOverdraft: 1 });
  const [within] = request(pool, 1);
  assertEquals(pool.tryRequest(false), null);
  const [beyond] = request(pool, 1);
  assertEquals([pool.overdraftSegments, pool.isAvailable], [1, false]);
  assertEquals(pool.tryRequest(), null);
  within.release();
  assertEquals([pool.requestedSegments, pool.idleSegments, pool.isAvailable], [1, 0, false]);
  beyond.release();
  assertEquals([pool.idleSegments, pool.isAvailable], [1, true]);
});

Deno.test("LocalBufferPool.setSize() takes lent excess back one by one as it comes home", () => {
  const { network, pool } = setUp(1024, { minSegments: 1 });
  const all = request(pool, 1024);
  pool.setSize(512);
  assertEquals(network.lentSegments, 1024);
  for (let k = 1; k < 512; k++) {
    all.pop()!.release();
    assertEquals([pool.requestedSegments, pool.idleSegments], [1024 - k, 0]);
  }
});

Deno.test("LocalBufferPool.setSize() takes idle excess back at once", () => {
  const { network, pool } = setUp(1024, { minSegments: 1 });
  request(pool, 1024).forEach((segment) => segment.release());
  assertEquals(pool.idleSegments, 1024);
  pool.setSize(512);
  assertEquals([pool.idleSegments, network.freeSegments], [512, 512]);
});

Deno.test("LocalBufferPool.setSize() refuses less than the minimum", () => {
  const { pool } = setUp(4, { minSegments: 1 });
  pool.setSize(1);
  assertThrows(() => pool.setSize(0), RangeError, 'pool "logs": size must be an integer from 1, but is 0');
});

Deno.test("LocalBufferPool refuses sizes that contradict each other", () => {
  const network = new NetworkBufferPool({ segments: 8, segmentBytes: 64 });
  for (
    const sizes of [
      { minSegments: 0 },
      { minSegments: 1.5 },
      { minSegments: NaN },
      { minSegments: 3, maxSegments: 2 },
      { minSegments: 1, maxOverdraft: -1 },
      { minSegments: 1, maxPerChannel: 0 },
    ]
  ) {
    assertThrows(() => network.createLocalPool({ name: "x", ...sizes }), RangeError, 'Cannot size pool "x"');
  }
  assertEquals([network.freeSegments, network.requiredSegments], [8, 0]);
});

Deno.test("LocalBufferPool.openChannel() makes the pool unavailable while one channel is full, and refuses nothing", () => {
  const { pool } = setUp(16, { minSegments: 10, maxSegments: 10, maxPerChannel: 2 });
  const [ch0, ch1, ch2] = [pool.openChannel(), pool.openChannel(), pool.openChannel()];
  ch0.charge();
  ch1.charge();
  assert(pool.isAvailable);
  ch0.charge();
  assert(ch0.full && !pool.isAvailable);
  request(pool, 1);
  for (const channel of [ch0, ch2, ch2]) channel.charge();
  for (const channel of [ch1, ch2, ch0]) channel.discharge();
  assertEquals([ch0.held, pool.isAvailable], [2, false]);
  ch0.discharge();
  assertEquals([ch0.full, pool.isAvailable], [false, true]);
});

Deno.test("PoolChannel.close() lifts its limit and lets what is held be discharged", () => {
  const { pool } = setUp(4, { minSegments: 2 });
  const channel = pool.openChannel(1);
  channel.charge();
  channel.charge();
  assert(!pool.isAvailable);
  channel.close();
  channel.close();
  assert(pool.isAvailable);
  channel.discharge();
  channel.discharge();
  assertThrows(() => channel.discharge(), InvariantError);
});

Deno.test("LocalBufferPool.recycle() is refused for a segment that is held, and twice", () => {
  const { pool } = setUp(4, { minSegments: 2 });
  const [segment] = request(pool, 1);
  assertThrows(() => pool.recycle(segment), InvariantError, "while 1 still hold it");
  segment.release();
  assertThrows(() => segment.release(), InvariantError, "released once");
  assertThrows(() => pool.recycle(segment), InvariantError, "no more segments than it lent");
});

Deno.test("LocalBufferPool.addListener() serves each waiting listener once, then refuses while segments are idle", () => {
  const { pool } = setUp(1, { minSegments: 1 });
  const [segment] = request(pool, 1);
  const listeners = [1, 2].map(() =>
    new Listener((got) => {
      got.release();
      return true;
    })
  );
  for (const listener of listeners) assert(pool.addListener(listener));
  segment.release();
  assertEquals(listeners.map((listener) => listener.offers), [1, 1]);
  assertEquals([pool.idleSegments, pool.isAvailable], [1, true]);
  assert(!pool.addListener(listeners[0]));
});

Deno.test("LocalBufferPool.addListener() is first come first served, and what one refuses goes to the next", () => {
  const { pool } = setUp(2, { minSegments: 2 });
  const [a, b] = request(pool, 2);
  const refusing = new Listener(() => false);
  const [second, third] = [new Listener(), new Listener()];
  for (const listener of [refusing, second, third]) pool.addListener(listener);
  a.release();
  assertEquals([refusing.offers, second.offers, third.offers], [1, 1, 0]);
  assertEquals([pool.lentSegments, pool.isAvailable], [2, false]);
  b.release();
  assertEquals([refusing.offers, second.offers, third.offers], [1, 1, 1]);
  for (const listener of [second, third]) listener.got[0].release();
  assertEquals(pool.idleSegments, 2);
});

Deno.test("LocalBufferPool.addListener() is served from the network pool too, without a recycle of its own", () => {
  const { network, pool } = setUp(4, { minSegments: 1, maxSegments: 4 });
  const hog = network.createLocalPool({ name: "hog", minSegments: 2 });
  const held = request(hog, hog.size);
  request(pool, pool.size);
  const listener = new Listener();
  assert(pool.addListener(listener));
  hog.lazyDestroy();
  assertEquals(listener.offers, 0);
  held.forEach((segment) => segment.release());
  assertEquals(listener.got.length, 1);
});

Deno.test("LocalBufferPool.addListener() may request, recycle, resize and destroy from inside the call", () => {
  const { network, pool } = setUp(6, { minSegments: 1, maxOverdraft: 1 });
  const other = network.createLocalPool({ name: "other", minSegments: 1 });
  const held = request(pool, pool.size);
  const last = new Listener();
  pool.addListener(
    new Listener((segment, self) => {
      assertEquals(pool.requestedSegments, pool.idleSegments + pool.lentSegments);
      pool.addListener(last);
      pool.setSize(pool.size - 1);
      other.tryRequest()!.release();
      network.createLocalPool({ name: "third", minSegments: 1 });
      segment.release();
      assertEquals(self.offers, 1);
      pool.lazyDestroy();
      assertEquals(last.destroyed, 0, "a listener is told when the one before has ended");
      return true;
    }),
  );
  held.pop()!.release();
  assertEquals([last.offers, last.destroyed], [0, 1]);
  held.forEach((segment) => segment.release());
  for (const each of [...network.pools()]) each.lazyDestroy();
  assertEquals([network.freeSegments, network.requiredSegments], [6, 0]);
});

Deno.test("LocalBufferPool.recycle() keeps serving the others when a listener throws, and throws that on", () => {
  const { pool } = setUp(1, { minSegments: 1 });
  const [segment] = request(pool, 1);
  const order: string[] = [];
  pool.addAvailabilityListener(() => {
    order.push("throws");
    throw new Error("listener failed");
  });
  pool.addAvailabilityListener(() => order.push("runs"));
  assertThrows(() => segment.release(), Error, "listener failed");
  assertEquals([order, pool.idleSegments], [["throws", "runs"], 1]);
});

Deno.test("LocalBufferPool.addAvailabilityListener() calls at each turn to available, until removed", () => {
  const { pool } = setUp(2, { minSegments: 2 });
  let calls = 0;
  const remove = pool.addAvailabilityListener(() => {
    calls++;
    assert(pool.isAvailable, "a listener finds the pool available");
  });
  const [a, b] = request(pool, 2);
  a.release();
  b.release();
  assertEquals(calls, 1);
  const channel = pool.openChannel(1);
  channel.charge();
  channel.discharge();
  assertEquals(calls, 2);
  remove();
  channel.charge();
  channel.discharge();
  assertEquals(calls, 2);
});

Deno.test("LocalBufferPool.addAvailabilityListener() is not called once removed, not even in the same turn", () => {
  const { pool } = setUp(1, { minSegments: 1 });
  const order: string[] = [];
  pool.addAvailabilityListener(() => {
    order.push("removes");
    remove();
  });
  const remove = pool.addAvailabilityListener(() => order.push("removed"));
  request(pool, 1)[0].release();
  assertEquals(order, ["removes"]);
});

Deno.test("LocalBufferPool.addAvailabilityListener() is not called for what it does itself", () => {
  // A body that needs two segments and finds one gives it back; it would try again for ever.
  const { pool } = setUp(2, { minSegments: 2 });
  let calls = 0;
  pool.addAvailabilityListener(() => {
    calls++;
    pool.tryRequest()!.release();
  });
  const [a, b] = request(pool, 2);
  a.release();
  assertEquals([calls, pool.isAvailable], [1, true]);
  b.release();
  request(pool, 2)[0].release();
  assertEquals(calls, 2);
});

Deno.test("LocalBufferPool.addAvailabilityListener() is called for what another listener does", () => {
  const { pool } = setUp(2, { minSegments: 2 });
  const [a, b] = request(pool, 2);
  const order: string[] = [];
  let kept: Segment | null = null;
  pool.addAvailabilityListener(() => {
    order.push("takes");
    kept ??= pool.tryRequest();
  });
  let held: Segment | null = b;
  pool.addAvailabilityListener(() => {
    order.push("releases");
    held?.release();
    held = null;
  });
  a.release();
  assertEquals(order, ["takes", "releases", "takes"]);
});

Deno.test("LocalBufferPool.whenAvailable() is one promise until it resolves, then a new one", async () => {
  const { pool } = setUp(1, { minSegments: 1 });
  assert(await isDone(pool.whenAvailable()));
  const [segment] = request(pool, 1);
  const waiting = pool.whenAvailable();
  assertStrictEquals(pool.whenAvailable(), waiting);
  assert(!await isDone(waiting));
  segment.release();
  await waiting;
  request(pool, 1);
  assert(!await isDone(pool.whenAvailable()));
});

Deno.test("LocalBufferPool.whenAvailable() does not resolve for a segment that a listener takes", async () => {
  const { pool } = setUp(1, { minSegments: 1 });
  const [segment] = request(pool, 1);
  const waiting = pool.whenAvailable();
  let calls = 0;
  pool.addAvailabilityListener(() => calls++);
  const listener = new Listener();
  pool.addListener(listener);
  segment.release();
  assertEquals([listener.offers, calls, await isDone(waiting)], [1, 0, false]);
  listener.got[0].release();
  assertEquals([calls, await isDone(waiting)], [1, true]);
});

Deno.test("LocalBufferPool.lazyDestroy() tells each waiting listener once and brings lent segments home", async () => {
  const { network, pool } = setUp(4, { minSegments: 4, maxSegments: 4 });
  const held = request(pool, 4);
  const listener = new Listener();
  pool.addListener(listener);
  const waiting = pool.whenAvailable();
  pool.lazyDestroy();
  pool.lazyDestroy();
  assertEquals([listener.offers, listener.destroyed, network.requiredSegments], [0, 1, 0]);
  await assertRejects(() => waiting, ClosedError, 'pool "logs": it is destroyed');
  await assertRejects(() => pool.whenAvailable(), ClosedError);
  assertEquals([pool.tryRequest(), pool.isAvailable, pool.addListener(listener)], [null, false, false]);
  held.forEach((segment) => segment.release());
  assertEquals([network.freeSegments, pool.requestedSegments], [4, 0]);
});

Deno.test("LocalBufferPool.setSize() of a destroyed pool fetches nothing (FLINK-19964)", () => {
  const { network, pool } = setUp(4, { minSegments: 1 });
  pool.lazyDestroy();
  pool.setSize(3);
  assertEquals([pool.size, pool.idleSegments, network.freeSegments], [3, 0, 4]);
});

Deno.test("LocalBufferPool is destroyed by the end of its block", () => {
  const network = new NetworkBufferPool({ segments: 2, segmentBytes: 64 });
  {
    using pool = network.createLocalPool({ name: "logs", minSegments: 1 });
    assertEquals([...network.pools()], [pool]);
  }
  assertEquals([network.freeSegments, [...network.pools()]], [2, []]);
});

Deno.test("LocalBufferPool.reserve() brings the guaranteed segments, or says why not", async () => {
  const clock = new ManualClock();
  const wait = { clock, timeoutMs: 2_000 };
  const { network, pool: a } = setUp(2, { minSegments: 1, maxSegments: 2 });
  const held = request(a, 2);
  const b = network.createLocalPool({ name: "b", minSegments: 1, maxSegments: 10 });
  await assertRejects(
    () => a.reserve(2, wait),
    RangeError,
    "only its minSegments are guaranteed, which are 1",
  );
  const failing = assertRejects(() => b.reserve(1, wait), SegmentTimeoutError, "within 2000 ms");
  await clock.run(2_000);
  await failing;
  assertEquals([b.isAvailable, clock.pending], [false, 0]);
  const cancelled = assertRejects(() => b.reserve(1, wait), ClosedError);
  b.lazyDestroy();
  await cancelled;
  a.lazyDestroy();
  held.forEach((segment) => segment.release());
  const c = network.createLocalPool({ name: "c", minSegments: 2, maxSegments: 10 });
  assertEquals(c.idleSegments, 1);
  await c.reserve(2, wait);
  assertEquals([c.idleSegments, clock.pending], [2, 0]);
  c.lazyDestroy();
  await assertRejects(() => c.reserve(1, wait), ClosedError);
});

Deno.test("LocalBufferPool.reserve() goes on as soon as its guarantee comes home, and ends with the signal", async () => {
  const clock = new ManualClock();
  const { network, pool: a } = setUp(3, { minSegments: 1 });
  const held = request(a, 3);
  const b = network.createLocalPool({ name: "b", minSegments: 2, maxSegments: 2 });
  const abort = new AbortController();
  const aborted = assertRejects(
    () => b.reserve(2, { clock, timeoutMs: 1_000, signal: abort.signal }),
    Error,
    "enough",
  );
  abort.abort(new Error("enough"));
  await aborted;
  const reserved = b.reserve(2, { clock, timeoutMs: 1_000 });
  held.pop()!.release();
  held.pop()!.release();
  await reserved;
  assertEquals([b.idleSegments, clock.pending], [2, 0]);
});
