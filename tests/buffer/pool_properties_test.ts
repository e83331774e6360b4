/**
 * The pools against what defines them, under random use: conservation, bounds, availability, and an end to every
 * shrink. On failure fast-check prints the seed and the shortest list of steps.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { LocalBufferPool, PoolChannel } from "../../src/buffer/local_buffer_pool.ts";
import { NetworkBufferPool } from "../../src/buffer/network_buffer_pool.ts";
import type { Segment } from "../../src/buffer/segment.ts";
import { shareOut } from "../../src/buffer/shares.ts";
import { InsufficientSegmentsError } from "../../src/core/errors.ts";
import { ManualClock } from "../support/manual_clock.ts";

const TOTAL = 12;
const MAX_OVERDRAFT = 2;

/** What the pool cannot know of itself: who holds what. */
interface Stream {
  readonly pool: LocalBufferPool;
  readonly held: Segment[];
  readonly channel: PoolChannel;
  /** Availability as told by listener calls and looks. */
  calls: number;
  waiting: Promise<void> | null;
  done: boolean;
}

class World {
  readonly network = new NetworkBufferPool({ segments: TOTAL, segmentBytes: 16 });
  readonly clock = new ManualClock();
  readonly streams: Stream[] = [];
  readonly unpooled: Segment[] = [];
  /** Guarantees of unpooled requests that still wait. */
  pendingUnpooled = 0;
  readonly homeless: Segment[] = [];
  lastFillSeq = 0;

  create(min: number, extra: number): void {
    const maxSegments = extra < 0 ? Infinity : min + extra;
    try {
      const pool = this.network.createLocalPool({
        name: "s",
        minSegments: min,
        maxSegments,
        maxOverdraft: MAX_OVERDRAFT,
      });
      const stream: Stream = {
        pool,
        held: [],
        channel: pool.openChannel(3),
        calls: 0,
        waiting: null,
        done: false,
      };
      pool.addAvailabilityListener(() => stream.calls++);
      this.streams.push(stream);
    } catch (error) {
      assert(error instanceof InsufficientSegmentsError);
      assert(this.network.requiredSegments + min > TOTAL, "only what does not fit is refused");
    }
  }

  destroy(stream: Stream): void {
    this.streams.splice(this.streams.indexOf(stream), 1);
    this.homeless.push(...stream.held);
    stream.pool.lazyDestroy();
    assertEquals([stream.pool.idleSegments, stream.pool.tryRequest()], [0, null]);
  }

  request(stream: Stream, overdraft: boolean): void {
    const { pool } = stream;
    const [idle, over] = [pool.idleSegments, pool.requestedSegments - pool.size];
    const missing = [...this.network.pools()].filter((other) => other !== pool)
      .reduce((sum, other) => sum + Math.max(0, other.minSegments - other.requestedSegments), 0);
    const spare = this.network.freeSegments - missing;
    const segment = pool.tryRequest(overdraft);
    const allowed = idle > 0 || (overdraft && over >= 0 && over < MAX_OVERDRAFT && spare > 0);
    if (segment === null) return assert(!allowed, "a request is not refused");
    assert(allowed, "L2: a new request stays within size + maxOverdraft");
    this.hold(segment, stream.held);
  }

  hold(segment: Segment, held: Segment[]): void {
    assert(segment.fillSeq > this.lastFillSeq, "fill numbers ascend");
    assertEquals(segment.holders, 1);
    this.lastFillSeq = segment.fillSeq;
    held.push(segment);
  }

  recycle(stream: Stream, k: number): void {
    const { pool, held } = stream;
    if (held.length === 0) return;
    const before = pool.requestedSegments;
    const excess = before > pool.size;
    held.splice(k % held.length, 1)[0].release();
    assertEquals(pool.requestedSegments, excess ? before - 1 : before, "L3: recycling pays off excess");
  }

  listen(stream: Stream, takes: boolean): void {
    const idle = stream.pool.idleSegments;
    const added = stream.pool.addListener({
      onSegment: (segment) => {
        if (takes) this.hold(segment, stream.held);
        return takes;
      },
      onDestroyed: () => {},
    });
    assertEquals(added, idle === 0);
  }

  takeUnpooled(count: number): void {
    if (this.network.requiredSegments + count > TOTAL) return;
    this.pendingUnpooled += count;
    void this.network.requestUnpooled(count, { clock: this.clock, timeoutMs: 50 }).then((segments) => {
      this.pendingUnpooled -= count;
      this.unpooled.push(...segments);
    }, () => void (this.pendingUnpooled -= count));
  }

  async check(): Promise<void> {
    const { network } = this;
    assertEquals(network.freeSegments + network.lentSegments, TOTAL, "G1 by count");
    const inPools = this.streams.reduce((sum, { pool }) => sum + pool.requestedSegments, 0);
    const counted = inPools + this.unpooled.length + this.homeless.length;
    assert(network.lentSegments >= counted, "G1: nothing is held that is not lent");
    assert(network.lentSegments <= counted + this.pendingUnpooled, "G1: nothing is lent that nobody holds");
    const minimums = this.streams.reduce((sum, { pool }) => sum + pool.minSegments, 0);
    const unpooled = this.unpooled.length + this.pendingUnpooled;
    assertEquals(network.requiredSegments, minimums + unpooled, "guarantees are counted");
    assert(network.requiredSegments <= TOTAL, "G2");
    const sizes = this.streams.reduce((sum, { pool }) => sum + pool.size, 0);
    assert(sizes + unpooled <= TOTAL, "G3");
    for (const { pool, held, channel } of this.streams) {
      assert(pool.minSegments <= pool.size && pool.size <= pool.maxSegments, "G4");
      assertEquals(pool.lentSegments, held.length, "L1: lent is what is held");
      assertEquals(pool.requestedSegments, pool.idleSegments + pool.lentSegments, "L1");
      assertEquals(pool.isAvailable, pool.idleSegments > 0 && !channel.full, "L4 by look");
      if (pool.overdraftSegments > 0) assert(!pool.isAvailable, "L6");
      if (pool.idleSegments > 0) {
        assertEquals(pool.waitingListeners, 0, "nobody waits beside an idle segment");
      }
      if (pool.idleSegments === 0 && pool.requestedSegments < pool.size) {
        assertEquals(network.freeSegments, 0, "a pool below its size has fetched one ahead");
      }
    }
    assertEquals(network.isAvailable, network.freeSegments > 0, "G5 by look");
    await this.#checkPromises();
  }

  async #checkPromises(): Promise<void> {
    let networkDone = false;
    void this.network.whenAvailable().then(() => networkDone = true);
    for (const stream of this.streams) {
      if (stream.waiting === null || stream.done) {
        stream.done = false;
        stream.waiting = stream.pool.whenAvailable();
        void stream.waiting.then(() => stream.done = true, () => {});
      }
    }
    for (let k = 0; k < 4; k++) await Promise.resolve();
    assertEquals(networkDone, this.network.freeSegments > 0, "G5");
    for (const stream of this.streams) {
      if (stream.pool.isAvailable) assert(stream.done, "L4: who waits is let go");
      else if (stream.waiting === stream.pool.whenAvailable()) assert(!stream.done, "L4: who waits, waits");
    }
  }
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** One step: what, and three numbers that pick whom and how. */
const step = fc.tuple(
  fc.constantFrom(
    "create",
    "destroy",
    "request",
    "request",
    "request",
    "request",
    "recycle",
    "recycle",
    "recycle",
    "listen",
    "charge",
    "discharge",
    "unpooled",
    "giveBack",
    "timeout",
  ),
  fc.nat(5),
  fc.integer({ min: -1, max: 7 }),
  fc.boolean(),
);

function take(world: World, [what, who, much, flag]: Step): void {
  if (what === "create") return world.create(1 + who, much);
  if (what === "unpooled") return world.takeUnpooled(1 + who);
  if (what === "timeout") return world.clock.advance(25);
  if (what === "giveBack") {
    world.network.recycleUnpooled(world.unpooled.splice(0, 1 + who));
    return world.homeless.splice(0, 2).forEach((segment) => segment.release());
  }
  const stream = world.streams[who % Math.max(1, world.streams.length)];
  if (!stream) return;
  if (what === "destroy") world.destroy(stream);
  if (what === "request") world.request(stream, flag);
  if (what === "recycle") world.recycle(stream, much + 1);
  if (what === "listen") world.listen(stream, flag);
  if (what === "charge") stream.channel.charge();
  if (what === "discharge" && stream.channel.held > 0) {
    const [calls, wasAvailable] = [stream.calls, stream.pool.isAvailable];
    stream.channel.discharge();
    const turned = stream.pool.isAvailable && !wasAvailable;
    assertEquals(stream.calls - calls, turned ? 1 : 0, "one call for one turn to available");
  }
}

Deno.test("NetworkBufferPool and LocalBufferPool keep G1 to G6, L1 to L6 and P9 under random use", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
      const world = new World();
      for (const each of steps) {
        take(world, each);
        await world.check();
      }
      // P9: after a shrink and finitely many returns, a pool is at its size.
      for (const { pool, held } of world.streams) {
        while (held.length > 0) held.pop()!.release();
        assert(pool.requestedSegments <= pool.size, "P9");
      }
      for (const stream of [...world.streams]) world.destroy(stream);
      for (const segment of world.homeless.splice(0)) segment.release();
      await world.clock.run(100);
      world.network.recycleUnpooled(world.unpooled.splice(0));
      assertEquals([world.network.freeSegments, world.network.requiredSegments], [TOTAL, 0], "G6");
    }),
    { numRuns: 400 },
  );
});

Deno.test("NetworkBufferPool.createLocalPool() deals out all that the pools can use", () => {
  const bounds = fc.array(fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: -1, max: 9 })), {
    maxLength: 40,
  });
  fc.assert(fc.property(bounds, (all) => {
    const network = new NetworkBufferPool({ segments: 1024, segmentBytes: 4 });
    let usable = 0;
    for (const [minSegments, extra] of all) {
      const maxSegments = extra < 0 ? Infinity : minSegments + extra;
      network.createLocalPool({ name: "s", minSegments, maxSegments });
      usable += maxSegments;
      const sizes = Array.from(network.pools(), (pool) => pool.size);
      assertEquals(sizes.reduce((sum, size) => sum + size, 0), Math.min(1024, usable));
    }
  }));
});

Deno.test("shareOut() deals all, within headroom, and less than one from the exact share", () => {
  const headroom = fc.oneof(fc.nat(3000), fc.constant(Infinity));
  fc.assert(fc.property(fc.nat(5000), fc.array(headroom, { maxLength: 30 }), (spare, headrooms) => {
    const shares = shareOut(spare, headrooms);
    const caps = headrooms.map((each) => Math.min(spare, each));
    const usable = caps.reduce((sum, cap) => sum + cap, 0);
    const dealt = Math.min(spare, usable);
    assertEquals(shares.reduce((sum, share) => sum + share, 0), dealt);
    shares.forEach((share, k) => {
      assert(share >= 0 && share <= headrooms[k]);
      assert(usable === 0 || Math.abs(share - dealt * caps[k] / usable) < 1);
    });
  }));
});
