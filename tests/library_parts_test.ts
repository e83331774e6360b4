/** The parts that stand alone, by what `mod.ts` exports and nothing else, as the README shows them. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  createWriteController,
  InsufficientSegmentsError,
  LocalBufferPool,
  NetworkBufferPool,
  TokenBucket,
  WRITE_CONTROL_KINDS,
} from "../mod.ts";

Deno.test("TokenBucket says what passes and how long to wait for the rest", () => {
  const bucket = new TokenBucket({ recordsPerSecond: 100, burstRecords: 20, bytesPerSecond: 10_000 }, 0);
  assertEquals([bucket.maxRecords, bucket.maxBytes, bucket.fits(21, 0)], [20, 10_000, false]);
  assertEquals(bucket.take(20, 500, 0), true);
  assertEquals(bucket.take(5, 500, 0), false);
  const waitMs = bucket.waitMs(5, 500, 0);
  assertEquals(waitMs, 50);
  assertEquals(bucket.take(5, 500, waitMs), true);
  assertEquals(bucket.tokens(waitMs), { records: 0, bytes: 9_500 });
  bucket.setLimits({ recordsPerSecond: 1, burstRecords: 20 }, waitMs);
  assertEquals(bucket.waitMs(1, 0, waitMs), 1_000);
});

Deno.test("NetworkBufferPool shares its segments among pools that keep their guarantees", async () => {
  const network = new NetworkBufferPool({ segments: 8, segmentBytes: 1024 });
  const orders = network.createLocalPool({ name: "orders", minSegments: 2, maxSegments: 3 });
  assertEquals([orders instanceof LocalBufferPool, orders.size, orders.segmentBytes], [true, 3, 1024]);
  const clicks = network.createLocalPool({ name: "clicks", minSegments: 4 });
  assertThrows(
    () => network.createLocalPool({ name: "third", minSegments: 3 }),
    InsufficientSegmentsError,
    "third",
  );

  const held = [...Array(orders.size)].map(() => orders.tryRequest()!);
  assertEquals(new Set(held.map(({ index }) => index)).size, orders.size);
  assertEquals([orders.tryRequest(), orders.isAvailable, clicks.isAvailable], [null, false, true]);
  const available = orders.whenAvailable();
  held[0].retain();
  held[0].release();
  assertEquals(orders.isAvailable, false);
  held[0].release();
  await available;
  assertEquals(orders.tryRequest()!.index, held[0].index);
  for (const segment of held) segment.release();
  assertEquals([orders.lentSegments, network.lentSegments <= network.totalSegments], [0, true]);
  network.destroy();
  assertEquals([orders.destroyed, clicks.destroyed], [true, true]);
});

for (const kind of WRITE_CONTROL_KINDS) {
  Deno.test(`createWriteController() makes a controller of kind ${kind} that begins at initial and keeps to its bounds`, () => {
    const controller = createWriteController({ kind, initial: 4, min: 2, max: 8 });
    assertEquals(controller.limit, 4);
    for (let n = 1; n <= 200; n++) {
      const sample = { endMs: n * 100, latencyMs: 5, inFlight: controller.limit, refused: n % 50 === 0 };
      const limit = controller.update(sample);
      assert(limit >= 2 && limit <= 8 && limit === controller.limit, `${limit} after ${n} writes`);
    }
  });
}
