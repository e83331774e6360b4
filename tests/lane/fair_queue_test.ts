/** Shares follow weights, nobody starves, and turns cost the same however costs and weights differ. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FairQueue } from "../../src/lane/fair_queue.ts";
import { InvariantError } from "../../src/core/assert.ts";
import { seededRandom } from "../support/seeded_random.ts";

interface Lane {
  readonly name: number;
  readonly weight: number;
  cost: number;
  sent: number;
}

const costOf = (lane: Lane): number => lane.cost;

function lanesOf(weights: readonly number[]): Lane[] {
  return weights.map((weight, name) => ({ name, weight, cost: 1, sent: 0 }));
}

function queueOf(lanes: readonly Lane[]): FairQueue<Lane> {
  const queue = new FairQueue<Lane>();
  for (const lane of lanes) {
    queue.add(lane, lane.weight);
    queue.activate(lane);
  }
  return queue;
}

const weights = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2, maxLength: 12 });
const costs = fc.constantFrom<(random: () => number) => number>(
  () => 1,
  (random) => 1 + Math.floor(random() * 1000),
  (random) => random() < 0.05 ? 5_000_000 : 100,
  (random) => 1e-6 + random() * 1e-3,
);

Deno.test("FairQueue gives backlogged entries shares within a largest cost or two of their weights, in any interval", () => {
  fc.assert(
    fc.property(
      weights,
      fc.array(costs, { minLength: 12, maxLength: 12 }),
      fc.integer(),
      (weights, costs, seed) => {
        const random = seededRandom(seed);
        const lanes = lanesOf(weights);
        for (const lane of lanes) lane.cost = costs[lane.name](random);
        const queue = queueOf(lanes);
        const heaviest = Math.max(...weights);
        let largest = 0;
        // The difference of two lanes' normalised service stays in a band; its width is the worst over all intervals.
        const lowest = lanes.map(() => lanes.map(() => 0));
        const highest = lanes.map(() => lanes.map(() => 0));
        for (let turn = 0; turn < 600; turn++) {
          const lane = queue.peek(costOf)!;
          largest = Math.max(largest, lane.cost);
          queue.commit(lane.cost);
          lane.sent += lane.cost;
          lane.cost = costs[lane.name](random);
          for (const other of lanes) {
            const difference = lane.sent / lane.weight - other.sent / other.weight;
            lowest[lane.name][other.name] = Math.min(lowest[lane.name][other.name], difference);
            highest[lane.name][other.name] = Math.max(highest[lane.name][other.name], difference);
            lowest[other.name][lane.name] = Math.min(lowest[other.name][lane.name], -difference);
            highest[other.name][lane.name] = Math.max(highest[other.name][lane.name], -difference);
          }
        }
        for (const lane of lanes) largest = Math.max(largest, lane.cost);
        for (const one of lanes) {
          for (const other of lanes) {
            if (one === other) continue;
            const width = highest[one.name][other.name] - lowest[one.name][other.name];
            const bound = 2 * largest * (1 / one.weight + 1 / other.weight + 1 / heaviest);
            assert(width <= bound * (1 + 1e-9), `lanes ${one.name} and ${other.name}: ${width} > ${bound}`);
          }
        }
      },
    ),
  );
});

Deno.test("FairQueue starves none of 200 lanes whose weights differ a thousandfold", () => {
  const lanes = lanesOf(Array.from({ length: 200 }, (_, name) => name === 0 ? 1000 : 1));
  const queue = queueOf(lanes);
  for (const lane of lanes) lane.cost = 1_000_000;
  for (let turn = 0; turn < 3600; turn++) {
    const lane = queue.peek(costOf)!;
    queue.commit(lane.cost);
    lane.sent++;
  }
  assertEquals(lanes.slice(1).every((lane) => lane.sent >= 2 && lane.sent <= 4), true);
  assert(lanes[0].sent >= 2990, `${lanes[0].sent}`);
});

Deno.test("FairQueue.peek() asks for few costs a turn, also where a cost is many quanta", () => {
  const lanes = lanesOf(Array.from({ length: 200 }, () => 1));
  const heavy: Lane = { name: 200, weight: 1_000_000, cost: 1, sent: 0 };
  const queue = queueOf(lanes);
  queue.add(heavy, heavy.weight);
  let asked = 0;
  const counted = (lane: Lane): number => {
    asked++;
    return lane.cost;
  };
  for (let turn = 0; turn < 2000; turn++) {
    const lane = queue.peek(counted)!;
    queue.commit(lane.cost);
    lane.sent++;
    lane.cost = turn % 7 === 0 ? 1e9 : 1;
  }
  assert(asked < 2000 * 3 * 200, `${asked} costs for 2000 turns`);
  assert(lanes.every((lane) => lane.sent > 0));
});

Deno.test("FairQueue.peek() stays with its choice until it is committed or leaves", () => {
  const lanes = lanesOf([1, 1, 1]);
  const queue = queueOf(lanes);
  const first = queue.peek(costOf);
  for (let again = 0; again < 5; again++) assertEquals(queue.peek(costOf), first);
  first!.cost = 1e6;
  assertEquals(queue.peek(costOf), first, "it grew, but has been promised its turn");
  queue.activate(lanes[2]);
  assertEquals(queue.peek(costOf), first);
  queue.deactivate(first!);
  const second = queue.peek(costOf);
  assert(second !== first);
  queue.remove(second!);
  assertEquals(queue.peek(costOf), lanes.find((lane) => lane !== first && lane !== second));
});

Deno.test("FairQueue.activate() queues an entry once", () => {
  fc.assert(fc.property(
    fc.array(
      fc.record({ lane: fc.nat(5), act: fc.constantFrom("activate", "deactivate", "turn", "remove", "add") }),
      { maxLength: 200 },
    ),
    (steps) => {
      const lanes = lanesOf([1, 2, 3, 4, 5, 6]);
      const queue = queueOf(lanes);
      const active = new Set(lanes);
      const known = new Set(lanes);
      for (const { lane: name, act } of steps) {
        const lane = lanes[name];
        if (act === "activate") {
          queue.activate(lane);
          if (known.has(lane)) active.add(lane);
        } else if (act === "deactivate") {
          queue.deactivate(lane);
          active.delete(lane);
        } else if (act === "remove") {
          queue.remove(lane);
          active.delete(lane);
          known.delete(lane);
        } else if (act === "add" && !known.has(lane)) {
          queue.add(lane, lane.weight);
          known.add(lane);
        } else if (act === "turn") {
          const next = queue.peek(costOf);
          assertEquals(next !== null, active.size > 0);
          if (next !== null) {
            assert(active.has(next));
            queue.commit(next.cost);
          }
        }
        assertEquals(queue.active, active.size);
      }
    },
  ));
});

Deno.test("FairQueue.deactivate() forfeits what was saved up, and keeps what is owed", () => {
  const [saver, sender] = lanesOf([1, 1]);
  const queue = queueOf([saver, sender]);
  assertEquals(queue.peek(() => 1000), saver);
  queue.commit(1); // 999 are left
  queue.deactivate(saver);
  queue.activate(saver);
  for (let turn = 0; turn < 1000; turn++) {
    assertEquals(queue.peek(costOf), sender);
    queue.commit(1);
  }
  let turns = 0;
  for (; queue.peek(costOf) === saver; turns++) queue.commit(1);
  assert(turns <= 1000, `one visit gave ${turns} turns`);

  const [debtor, other] = lanesOf([1, 10]);
  const pair = queueOf([debtor, other]);
  for (let turn = 0; turn < 1000; turn++) {
    const lane = pair.peek(costOf)!;
    const cost = lane === debtor ? 10 : 1;
    pair.commit(cost);
    lane.sent += cost;
    if (lane !== debtor) continue;
    pair.deactivate(debtor);
    pair.activate(debtor);
  }
  assert(debtor.sent > 0);
  assert(debtor.sent * 10 <= other.sent + 200, `${debtor.sent} against ${other.sent}`);
});

Deno.test("FairQueue.activate() gives no credit for a round that began before: leaving and coming back gains nothing", () => {
  const lanes = lanesOf([1, 1, 1]);
  const queue = queueOf(lanes);
  const [hopper] = lanes;
  for (let turn = 0; turn < 3000; turn++) {
    const lane = queue.peek(costOf)!;
    queue.commit(lane.cost);
    lane.sent++;
    if (lane !== hopper) continue;
    queue.deactivate(hopper);
    queue.activate(hopper);
  }
  assert(hopper.sent <= 1010, `${hopper.sent} of 3000`);
});

Deno.test("FairQueue.commit() charges what was really sent: an entry that asks for little gains nothing", () => {
  const [honest, modest] = lanesOf([1, 1]);
  const queue = queueOf([honest, modest]);
  honest.cost = 100;
  for (let turn = 0; turn < 1000; turn++) {
    const lane = queue.peek(costOf)!;
    queue.commit(100);
    lane.sent += 100;
  }
  assert(Math.abs(honest.sent - modest.sent) <= 200, `${honest.sent} against ${modest.sent}`);
});

Deno.test("FairQueue refuses a weight without turns, and a charge without turn", () => {
  const queue = new FairQueue<string>();
  for (const weight of [0, -1, NaN, Infinity]) {
    assertThrows(() => queue.add("lane", weight), RangeError, `got ${weight}`);
  }
  queue.add("lane", 1);
  assertThrows(() => queue.add("lane", 2), InvariantError, "one weight");
  assertThrows(() => queue.commit(1), InvariantError, "given before");
  assertEquals(queue.peek(() => 1), null);
});
