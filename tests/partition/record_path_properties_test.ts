/**
 * The way of a record from a writer to a batch under random use: what was committed is read, byte for byte and in
 * order, by every lane that it is for, and nothing else; the books are right at every step; all memory comes home. On
 * failure fast-check prints the seed and the shortest list of steps.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { LocalBufferPool } from "../../src/buffer/local_buffer_pool.ts";
import { NetworkBufferPool } from "../../src/buffer/network_buffer_pool.ts";
import { hashKey, type RecordMeta, SlotFlag } from "../../src/core/record.ts";
import type { SegmentBatch } from "../../src/lane/batch.ts";
import { AckCounter } from "../../src/partition/acks.ts";
import { type BodyWriter, type Committed, ResultPartition } from "../../src/partition/result_partition.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { type LaneShape, ReadingLane } from "./reading_lane.ts";
import {
  assertRecord,
  assertRuns,
  type Expected,
  metaOf,
  ModelBody,
  type RecordSpec,
  type SharedSpec,
} from "./record_path_model.ts";

const SEGMENTS = 24;

/** A clock whose turns end when the test says so. */
class TurnClock extends ManualClock {
  #deferred: (() => void)[] = [];
  override defer(run: () => void): void {
    this.#deferred.push(run);
  }
  endTurn(): void {
    for (const run of this.#deferred.splice(0)) run();
  }
}

/** A request that waits for its deliveries. */
interface Request {
  readonly counter: AckCounter;
  /** Deliveries that it waits for. */
  due: number;
  sealed: boolean;
  settledCalls: number;
}

interface Arriving {
  readonly body: BodyWriter;
  readonly model: ModelBody;
  readonly request: Request | null;
}

/** A record that a sink is still to get. */
interface Awaited {
  readonly expected: Expected;
  readonly request: Request | null;
  taken: boolean;
}

interface Unsettled {
  readonly lane: ReadingLane;
  readonly batch: SegmentBatch;
  readonly left: number[];
  readonly requests: (Request | null)[];
}

class World {
  readonly clock = new TurnClock();
  readonly network: NetworkBufferPool;
  readonly pool: LocalBufferPool;
  readonly lanes: ReadingLane[];
  readonly partition: ResultPartition;
  readonly shapes: readonly LaneShape[];
  readonly requests: Request[] = [];
  readonly arriving: Arriving[] = [];
  readonly unsettled: Unsettled[] = [];
  /** Per sink, what it is to get, in order. */
  readonly awaited = new Map<string, Awaited[]>();
  readonly shed = new Map<string, number>();
  readonly ids = new Map<string, Set<string>>();
  readonly sinks: readonly string[];
  /** Requests that share the same share one object, as those of one millisecond do. */
  readonly metas = new Map<string, RecordMeta>();
  accepted = 0;
  acceptedBytes = 0;

  constructor(segmentBytes: number, shapes: readonly LaneShape[]) {
    this.network = new NetworkBufferPool({ segments: SEGMENTS, segmentBytes });
    this.pool = this.network.createLocalPool({ name: "s", minSegments: SEGMENTS });
    this.shapes = shapes;
    this.sinks = [...new Set(shapes.map(({ sink }) => sink))];
    for (const sink of this.sinks) {
      this.awaited.set(sink, []);
      this.shed.set(sink, 0);
      this.ids.set(sink, new Set());
    }
    this.lanes = shapes.map((shape, lane) =>
      new ReadingLane(lane, {
        ...shape,
        channel: shape.sheds ? null : this.pool.openChannel(shape.maxBuffers ?? 1000),
      })
    );
    this.partition = new ResultPartition({
      stream: "s",
      pool: this.pool,
      lanes: this.lanes.map(({ input }) => input),
      clock: this.clock,
      notify: () => {},
    });
  }

  meta(shared: SharedSpec): RecordMeta {
    const name = JSON.stringify(shared);
    const meta = this.metas.get(name) ?? metaOf(shared);
    this.metas.set(name, meta);
    return meta;
  }

  newRequest(waits: boolean): Request | null {
    if (!waits) return null;
    const request: Request = {
      counter: new AckCounter({ allSettled: () => request.settledCalls++ }),
      due: 0,
      sealed: false,
      settledCalls: 0,
    };
    this.requests.push(request);
    return request;
  }

  seal(request: Request | null): void {
    if (request === null) return;
    request.sealed = true;
    request.counter.seal();
  }

  whole(shared: SharedSpec, specs: readonly RecordSpec[], waits: boolean, commits: boolean): void {
    const open = this.lanes.map(({ input }) => this.partition.openRecords(input.lane));
    const lent = this.pool.lentSegments;
    const writer = this.partition.begin(this.meta(shared));
    const body = new ModelBody(writer, shared, specs);
    const complete = body.write();
    assertEquals(writer.records, body.ended.length);
    if (!complete || !commits || writer.records === 0) {
      this.partition.rollback();
      assertEquals(this.pool.lentSegments, lent, "a rollback gives back all that was taken");
      assertEquals(this.lanes.map(({ input }) => this.partition.openRecords(input.lane)), open);
      return;
    }
    const request = this.newRequest(waits);
    this.committed(this.partition.commit(request?.counter ?? null), body.ended, request);
    this.seal(request);
  }

  arrive(shared: SharedSpec, specs: readonly RecordSpec[], waits: boolean): void {
    const body = this.partition.bodyWriter(() => this.pool.tryRequest(), this.meta(shared));
    this.arriving.push({
      body,
      model: new ModelBody(body.writer, shared, specs),
      request: this.newRequest(waits),
    });
  }

  writeOn(arriving: Arriving, steps: number, pieceBytes: number): void {
    arriving.model.write(steps, pieceBytes);
    arriving.body.writer.flushCopies();
    assertEquals(arriving.body.writer.records, arriving.model.ended.length);
  }

  handOver(arriving: Arriving): void {
    const last = arriving.model.done;
    const committed = this.partition.handOver(arriving.body, arriving.request?.counter ?? null, last);
    this.committed(committed, arriving.model.ended.splice(0), arriving.request);
    assertEquals(arriving.body.writer.records, 0);
    if (!last) return;
    this.arriving.splice(this.arriving.indexOf(arriving), 1);
    this.seal(arriving.request);
  }

  evict(arriving: Arriving): void {
    arriving.body.writer.rollback();
    assertEquals(arriving.body.segments, 0);
    this.arriving.splice(this.arriving.indexOf(arriving), 1);
    this.seal(arriving.request);
  }

  committed(committed: Committed, records: readonly Expected[], request: Request | null): void {
    assertEquals(committed.records, records.length);
    assertEquals(committed.bytes, records.reduce((sum, { value }) => sum + value.length, 0));
    this.accepted += committed.records;
    this.acceptedBytes += committed.bytes;
    for (const sink of this.sinks) {
      const lanes = this.lanes.filter(({ input }) => input.sink === sink);
      const left = lanes.map(({ input }) => (committed.shedMask & (1 << input.lane)) !== 0);
      assert(left.every((bit) => bit === left[0]), "a sink is left out with all its lanes");
      if (left[0]) {
        assert(lanes[0].input.sheds, "only a sink that sheds is left out");
        this.shed.set(sink, this.shed.get(sink)! + records.length);
        continue;
      }
      const acks = lanes[0].input.acks;
      if (request && acks) request.due += records.length;
      for (const expected of records) {
        this.awaited.get(sink)!.push({ expected, request: acks ? request : null, taken: false });
      }
    }
  }

  read(lane: ReadingLane): void {
    const batch = lane.read();
    if (batch === null) return;
    const shape = this.shapes[lane.input.lane];
    const awaited = this.awaited.get(shape.sink)!;
    const requests: (Request | null)[] = [];
    let at = 0;
    for (let i = 0; i < batch.count; i++) {
      // Of the writers of a sink each gets its part in order: those between are another's.
      while (awaited[at].taken || !isFor(shape, awaited[at].expected, batch, i)) at++;
      awaited[at].taken = true;
      assertRecord(batch, i, awaited[at].expected);
      requests.push(awaited[at].request);
      if (awaited[at].expected.shared.id === "") {
        const ids = this.ids.get(shape.sink)!;
        assert(!ids.has(batch.id(i)), "an id comes once");
        ids.add(batch.id(i));
      }
    }
    for (let k = 0; k < at; k++) {
      const { taken, expected } = awaited[k];
      assert(taken || !isSurelyFor(shape, expected), "no record is passed over");
    }
    assertRuns(batch);
    this.unsettled.push({ lane, batch, left: Array.from({ length: batch.count }, (_, i) => i), requests });
  }

  /** Settles up to `count` records of one batch, each the `stride`-th of those that are left. */
  settle(unsettled: Unsettled, count: number, stride: number): void {
    for (let k = 0; k < count && unsettled.left.length > 0; k++) {
      const [i] = unsettled.left.splice(stride % unsettled.left.length, 1);
      const request = unsettled.requests[i];
      if (request) {
        assertEquals(request.settledCalls, 0, "no ack before the last record is settled");
        request.due--;
      }
      unsettled.lane.settle(unsettled.batch, i);
    }
    if (unsettled.left.length === 0) this.unsettled.splice(this.unsettled.indexOf(unsettled), 1);
  }

  check(): void {
    assertEquals(this.partition.acceptedRecords, this.accepted);
    assertEquals(this.partition.acceptedBytes, this.acceptedBytes);
    for (const { settledCalls, sealed, due } of this.requests) {
      assertEquals(settledCalls, sealed && due === 0 ? 1 : 0, "an ack is given once, when nothing is due");
    }
    for (const sink of this.sinks) {
      const lanes = this.lanes.filter(({ input }) => input.sink === sink);
      let sum = this.shed.get(sink)! + this.partition.openRecords(lanes[0].input.lane);
      for (const { input, settledRecords } of lanes) sum += input.unsettledRecords + settledRecords;
      assertEquals(sum, this.accepted, `the ledger of sink ${sink} adds up`);
      assertEquals(lanes[0].input.shedRecords, this.shed.get(sink));
    }
  }

  end(): void {
    for (const arriving of [...this.arriving]) this.evict(arriving);
    this.partition.close();
    for (const lane of this.lanes) this.read(lane);
    for (const unsettled of [...this.unsettled]) this.settle(unsettled, Infinity, 1);
    this.check();
    for (const { input } of this.lanes) {
      assertEquals([input.held, input.unsettledRecords, this.partition.openRecords(input.lane)], [0, 0, 0]);
    }
    for (const list of this.awaited.values()) assert(list.every(({ taken }) => taken), "nothing is lost");
    this.pool.lazyDestroy();
    assertEquals(this.network.freeSegments, SEGMENTS);
    this.clock.endTurn();
    this.clock.advance(10);
    assertEquals(this.network.freeSegments, SEGMENTS);
  }
}

function isSurelyFor({ writer = 0, writers = 1 }: LaneShape, { key }: Expected): boolean {
  return writers === 1 || (key !== null && hashKey(key, 0, key.length) % writers === writer);
}

/** Whether an awaited record may be record `i`: those without key are known by their bytes, which number them. */
function isFor(shape: LaneShape, expected: Expected, batch: SegmentBatch, i: number): boolean {
  if (isSurelyFor(shape, expected)) return true;
  if (expected.key !== null) return false;
  const value = batch.value(i);
  return value.length === expected.value.length && value[0] === expected.value[0] &&
    value[1] === expected.value[1];
}

const text = (maxLength: number) => fc.string({ unit: "binary-ascii", maxLength });
const shared = fc.record<SharedSpec>({
  acceptedAtMs: fc.constantFrom(0, 1_700_000_000_123, 2 ** 32, 2 ** 42 + 7),
  id: fc.oneof({ weight: 3, arbitrary: fc.constant("") }, text(8)),
  key: fc.oneof({ weight: 3, arbitrary: fc.constant("") }, text(8)),
  headers: fc.array(fc.tuple(text(3), text(5)), { maxLength: 2 }),
});

/** Records without key are two bytes long at least, which number them. */
const recordOf = (segmentBytes: number) =>
  fc.record({
    length: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
      { weight: 3, arbitrary: fc.integer({ min: 0, max: segmentBytes }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: segmentBytes * 5 }) },
    ),
    key: fc.constantFrom<RecordSpec["key"]>("none", "inline", "after"),
    keyLength: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 12 }) },
      fc.integer({ min: 1, max: 300 }),
    ),
    flags: fc.constantFrom(0, SlotFlag.JSON, SlotFlag.NEWLINE, SlotFlag.NEWLINE | SlotFlag.UNSEEN),
    gap: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 20 })),
    pieces: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
    aborted: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
  }).map((spec): RecordSpec => {
    const keyed = spec.key !== "none";
    const length = keyed ? spec.length : Math.max(2, spec.length);
    if (spec.key === "inline" && length === 0) return { ...spec, key: "after" };
    return {
      ...spec,
      length,
      keyLength: spec.key === "inline" ? Math.min(spec.keyLength, length) : spec.keyLength,
    };
  });

const laneSets = fc.constantFrom<readonly LaneShape[]>(
  [{ sink: "a" }],
  [{ sink: "a" }, { sink: "b", acks: false }],
  [{ sink: "a" }, { sink: "b", sheds: true, maxBuffers: 2 }],
  [{ sink: "a", writer: 0, writers: 2 }, { sink: "a", writer: 1, writers: 2 }, { sink: "b" }],
  [
    { sink: "a", maxBuffers: 3 },
    { sink: "b", writer: 0, writers: 2, sheds: true, maxBuffers: 2 },
    { sink: "b", writer: 1, writers: 2, sheds: true, maxBuffers: 2 },
  ],
);

const stepOf = (segmentBytes: number) => {
  const records = fc.array(recordOf(segmentBytes), { minLength: 1, maxLength: 12 });
  const n = fc.nat(1000);
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc.tuple(fc.constant("whole" as const), shared, records, fc.boolean(), fc.boolean()),
    },
    { weight: 3, arbitrary: fc.tuple(fc.constant("arrive" as const), shared, records, fc.boolean()) },
    {
      weight: 8,
      arbitrary: fc.tuple(
        fc.constant("write" as const),
        n,
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: segmentBytes }),
      ),
    },
    { weight: 4, arbitrary: fc.tuple(fc.constant("handOver" as const), n) },
    { weight: 1, arbitrary: fc.tuple(fc.constant("evict" as const), n) },
    { weight: 2, arbitrary: fc.tuple(fc.constant("flush" as const)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant("endTurn" as const)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant("advance" as const)) },
    { weight: 5, arbitrary: fc.tuple(fc.constant("read" as const), n) },
    { weight: 6, arbitrary: fc.tuple(fc.constant("settle" as const), n, fc.integer({ min: 1, max: 50 }), n) },
  );
};

type Step = ReturnType<typeof stepOf> extends fc.Arbitrary<infer S> ? S : never;

function take(world: World, step: Step): void {
  const { arriving, unsettled } = world;
  switch (step[0]) {
    case "whole":
      return world.whole(step[1], step[2], step[3], step[4] || step[2].length > 3);
    case "arrive":
      return world.arrive(step[1], step[2], step[3]);
    case "write":
      if (arriving.length > 0) world.writeOn(arriving[step[1] % arriving.length], step[2], step[3]);
      return;
    case "handOver":
      if (arriving.length > 0) world.handOver(arriving[step[1] % arriving.length]);
      return;
    case "evict":
      if (arriving.length > 0) world.evict(arriving[step[1] % arriving.length]);
      return;
    case "flush":
      world.partition.flush();
      for (const { input } of world.lanes) assertEquals(world.partition.openRecords(input.lane), 0);
      return;
    case "endTurn":
      return world.clock.endTurn();
    case "advance":
      return world.clock.advance(1);
    case "read":
      return world.read(world.lanes[step[1] % world.lanes.length]);
    case "settle":
      if (unsettled.length > 0) world.settle(unsettled[step[1] % unsettled.length], step[2], step[3]);
      return;
  }
}

for (const segmentBytes of [256, 512, 1024]) {
  Deno.test(`What is committed is read by every lane, and all memory comes home, with segments of ${segmentBytes} bytes`, () => {
    fc.assert(
      fc.property(
        laneSets,
        fc.array(stepOf(segmentBytes), { maxLength: 60, size: "max" }),
        (lanes, steps) => {
          const world = new World(segmentBytes, lanes);
          for (const step of steps) {
            take(world, step);
            world.check();
          }
          world.end();
        },
      ),
      { numRuns: 600 },
    );
  });
}
