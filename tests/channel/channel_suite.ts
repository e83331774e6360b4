/** What every transport must keep, whatever it does with the bytes. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ChannelModel, type JoinChannel } from "./channel_model.ts";

/** Exclusive and floating credits to run with: enough to tell none, one and some of each. */
const CREDITS: readonly (readonly [exclusive: number, floating: number])[] = [0, 1, 2]
  .flatMap((exclusive) => Array.from({ length: 9 }, (_, floating) => [exclusive, floating] as const))
  .filter(([exclusive, floating]) => exclusive + floating > 0);

type Command =
  | { readonly kind: "add"; readonly lane: number; readonly count: number }
  | { readonly kind: "event" | "settle" | "close"; readonly lane: number }
  | { readonly kind: "step"; readonly count: number };

const lane = fc.nat({ max: 3 });
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("add" as const), lane, count: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("event" as const), lane }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("settle" as const), lane }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("step" as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), lane }) },
);

/** Registers the suite for the transport `name`. */
export function channelSuite(name: string, join: JoinChannel): void {
  Deno.test(`${name} delivers all, once and in order, with any exclusive and floating credits`, () => {
    for (const [exclusive, floating] of CREDITS) {
      const model = new ChannelModel(join, { lanes: 2, exclusive, floating, seed: exclusive * 9 + floating });
      for (const lane of [0, 1]) {
        model.add(lane, 20);
        model.addEvent(lane);
      }
      model.finish();
      assertEquals(model.lanes.map((lane) => lane.received.length), [21, 21], `${exclusive} and ${floating}`);
      model.closeAll();
    }
  });

  Deno.test(`${name} hands over as many buffers as the lane has credits, and the next for each that is settled`, () => {
    for (const [exclusive, floating] of CREDITS) {
      const model = new ChannelModel(join, { lanes: 1, exclusive, floating, seed: 1 });
      model.add(0, 30);
      model.deliver();
      assertEquals(model.lanes[0].held.length, exclusive + floating);
      for (let n = 0; n < 5; n++) {
        model.settle(0);
        model.deliver();
        assertEquals(model.lanes[0].held.length, exclusive + floating);
      }
      assertEquals(model.lanes[0].queue.backlog, 30 - exclusive - floating - 5);
      model.closeAll();
    }
  });

  Deno.test(`${name} refuses a lane without exclusive and floating credits`, () => {
    assertThrows(
      () => new ChannelModel(join, { lanes: 1, exclusive: 0, floating: 0, seed: 1 }),
      RangeError,
      "Cannot open lane 0 as a lane must be able to get a credit",
    );
  });

  Deno.test(`${name} lets an event pass when no credit is left`, () => {
    for (const exclusive of [0, 2]) {
      const model = new ChannelModel(join, { lanes: 1, exclusive, floating: 1, seed: 2 });
      model.add(0, exclusive + 1);
      model.addEvent(0);
      model.add(0, 1);
      model.addEvent(0);
      model.deliver();
      assertEquals(model.lanes[0].received.at(-1), `barrier ${exclusive + 1}`);
      assertEquals([model.channel.sender.credits(0), model.lanes[0].queue.length], [0, 2]);
      model.finish();
      model.closeAll();
    }
  });

  Deno.test(`${name} lets a lane that never settles stop no other`, () => {
    for (const exclusive of [1, 2]) {
      const model = new ChannelModel(join, { lanes: 3, exclusive, floating: 4, seed: 3 });
      for (const lane of [0, 1, 2]) model.add(lane, 40);
      model.finish([1]);
      const stuck = model.lanes[1].held.length;
      assertEquals([model.lanes[0].data, model.lanes[2].data], [40, 40]);
      assert(
        stuck >= exclusive && stuck <= exclusive + 4,
        `the stuck lane holds its own share at most, not ${stuck}`,
      );
      model.closeAll();
    }
  });

  Deno.test(`${name} shares floating credits evenly between lanes that are always hungry`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.nat({ max: 3 }), { minLength: 20, maxLength: 80 }),
        fc.integer(),
        (lanes, floating, settling, seed) => {
          const model = new ChannelModel(join, { lanes, exclusive: 0, floating, seed });
          for (let lane = 0; lane < lanes; lane++) model.add(lane, 200);
          model.deliver();
          // Without exclusive credits, what a lane got and what it may get was all granted by the pool.
          const granted = () =>
            model.lanes.map((lane, at) => lane.data + model.channel.receiver.credits(at)!.available);
          const before = granted();
          for (const choice of settling) {
            for (let k = 0; k < lanes && !model.settle((choice + k) % lanes); k++);
            const grants = granted().map((count, at) => count - before[at]);
            assert(Math.max(...grants) - Math.min(...grants) <= 1, `grants are at most one apart: ${grants}`);
            model.deliver();
          }
          model.closeAll();
        },
      ),
      { numRuns: 40 },
    );
  });

  Deno.test(`${name} fetches long queues with a flat stack when lanes settle at once`, () => {
    for (const [exclusive, floating] of [[0, 1], [1, 0], [2, 8]]) {
      // A stack that grew with each buffer would end here: Deno's holds some 10,000 calls.
      const model = new ChannelModel(join, {
        lanes: 1,
        exclusive,
        floating,
        seed: 4,
        queued: 5000,
        eager: [0],
      });
      while (model.channel.step());
      model.check();
      assertEquals(model.lanes[0].data, 5000);
      model.closeAll();
    }
  });

  Deno.test(`${name} keeps its promises in any order of adding, settling, moving and closing`, () => {
    fc.assert(
      fc.property(
        fc.record({
          lanes: fc.integer({ min: 1, max: 4 }),
          credits: fc.constantFrom(...CREDITS),
          seed: fc.integer(),
          eager: fc.subarray([0, 1, 2, 3]),
        }),
        fc.array(command, { maxLength: 120, size: "max" }),
        ({ lanes, credits: [exclusive, floating], seed, eager }, commands) => {
          const model = new ChannelModel(join, { lanes, exclusive, floating, seed, eager });
          model.check();
          for (const command of commands) {
            run(model, command);
            model.check();
          }
          model.finish();
          for (const lane of model.lanes) {
            if (lane.open) assertEquals(lane.received, lane.sent, "all arrives in the end");
          }
          model.closeAll();
        },
      ),
      { numRuns: 300 },
    );
  });
}

function run(model: ChannelModel, command: Command): void {
  if (command.kind === "step") {
    for (let n = 0; n < command.count; n++) model.channel.step();
    return;
  }
  const lane = command.lane % model.lanes.length;
  if (command.kind === "add") model.add(lane, command.count);
  else if (command.kind === "event") model.addEvent(lane);
  else if (command.kind === "settle") model.settle(lane);
  else model.close(lane);
}
