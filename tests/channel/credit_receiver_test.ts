/** The receiver against a wire that writes down what it is asked. @module */
import { assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { InvariantError } from "../../src/core/assert.ts";
import type { ChannelError } from "../../src/channel/channel_error.ts";
import { CreditReceiver, type ReceiverTransport } from "../../src/channel/credit_receiver.ts";
import { PermitPool } from "../../src/channel/permit_pool.ts";

class RecordingWire implements ReceiverTransport {
  readonly waiting: number[] = [];
  readonly cancelled: number[] = [];
  creditWaiting(lane: number): void {
    this.waiting.push(lane);
  }
  cancel(lane: number): void {
    this.cancelled.push(lane);
  }
}

class TestLane {
  readonly lane: number;
  readonly got: string[] = [];
  readonly errors: ChannelError[] = [];
  readonly #receiver: CreditReceiver<string>;
  #sequence = 0;

  constructor(receiver: CreditReceiver<string>, lane: number, exclusive: number, floating: PermitPool) {
    this.lane = lane;
    this.#receiver = receiver;
    receiver.openLane(lane, {
      exclusive,
      floating,
      onData: (buffer) => void this.got.push(buffer),
      onEvent: (event) => void this.got.push(event.kind),
      onError: (error) => void this.errors.push(error),
    });
  }

  data(backlog: number): boolean {
    return this.#receiver.onData(this.lane, this.#sequence++, backlog, "data");
  }

  event(backlog: number): boolean {
    return this.#receiver.onEvent(this.lane, this.#sequence++, backlog, { kind: "flush" });
  }

  /** `[available, required, floating, unannounced]`. */
  get counts(): number[] {
    const credits = this.#receiver.credits(this.lane)!;
    return [credits.available, credits.required, credits.floating, credits.unannounced];
  }
}

function open(exclusive: number, permits: number, lanes = 1) {
  const wire = new RecordingWire();
  const receiver = new CreditReceiver<string>(wire);
  const pool = new PermitPool(permits);
  const all = Array.from({ length: lanes }, (_, lane) => new TestLane(receiver, lane, exclusive, pool));
  return { wire, receiver, pool, lanes: all, lane: all[0] };
}

Deno.test("CreditReceiver grants what the backlog requires, as far as there is", () => {
  // Flink's testReceiveBacklogAnnouncement.
  const { receiver, pool, lane } = open(2, 8);
  receiver.onBacklog(0, 5);
  assertEquals([lane.counts, pool.freePermits], [[7, 7, 5, 5], 3]);
  receiver.onBacklog(0, 12);
  assertEquals([lane.counts, pool.freePermits], [[10, 14, 8, 8], 0]);
  assertEquals(receiver.credits(0)!.waiting, true);
});

Deno.test("CreditReceiver lowers what is required with a smaller backlog, and takes nothing back at once", () => {
  const { receiver, lane } = open(2, 14);
  receiver.onBacklog(0, 12);
  receiver.onBacklog(0, 10);
  assertEquals(lane.counts, [14, 12, 12, 12]);
});

Deno.test("CreditReceiver counts what is required down with the backlog", () => {
  for (const exclusive of [0, 2]) {
    const { receiver, lane } = open(exclusive, 2);
    receiver.onBacklog(0, 2);
    receiver.takeCredit(0);
    const required = [1, 0].map((backlog) => {
      lane.data(backlog);
      return receiver.credits(0)!.required;
    });
    assertEquals(required, [exclusive + 1, exclusive]);
    assertEquals(lane.counts, [exclusive, exclusive, 0, 0]);
  }
});

Deno.test("CreditReceiver.settled() gives floating credit back to the pool first, then what is not required", () => {
  // Flink's testAvailableBuffersEqualToRequired: 2 exclusive, 1 used; pool of 14, 1 used; backlog 12.
  const { receiver, pool, lane } = open(2, 14);
  lane.data(1);
  receiver.takeCredit(0);
  lane.data(12); // uses the floating credit that the first message brought
  assertEquals(
    [lane.counts.slice(0, 2), pool.freePermits, receiver.credits(0)!.inUse],
    [[14, 14], 0, 2],
  );
  receiver.takeCredit(0);
  receiver.settled(0);
  assertEquals([lane.counts.slice(0, 2), pool.freePermits], [[14, 14], 1]);
  receiver.settled(0);
  assertEquals([lane.counts.slice(0, 2), pool.freePermits], [[14, 14], 2]);
  assertEquals(receiver.takeCredit(0), 0); // the exclusive credit took the place of a floating one
});

Deno.test("CreditReceiver.settled() announces an exclusive credit even when the sender has no backlog", () => {
  const { wire, receiver, lane } = open(2, 0);
  lane.data(0);
  assertEquals([lane.counts, wire.waiting], [[1, 2, 0, 0], []]);
  receiver.settled(0);
  assertEquals([lane.counts, wire.waiting, receiver.takeCredit(0)], [[2, 2, 0, 1], [0], 1]);
});

Deno.test("CreditReceiver.settled() refuses more than was received", () => {
  const { receiver } = open(2, 0);
  assertThrows(() => receiver.settled(0), InvariantError, "settles only what it received");
});

Deno.test("CreditReceiver shares floating credit fairly between hungry lanes", () => {
  // Flink's testFairDistributionFloatingBuffers.
  const { wire, receiver, pool, lanes } = open(2, 3, 3);
  while (pool.tryTake());
  for (const lane of lanes) receiver.onBacklog(lane.lane, 8);
  assertEquals([lanes.map((lane) => lane.counts[0]), pool.waiting], [[2, 2, 2], 3]);
  for (let n = 0; n < 3; n++) pool.giveBack();
  assertEquals(lanes.map((lane) => lane.counts), [0, 1, 2].map(() => [3, 10, 1, 1]));
  assertEquals([wire.waiting, pool.waiting], [[0, 1, 2], 3]);
});

Deno.test("CreditReceiver.settled() keeps floating credit that is required, though others wait for it", () => {
  const { receiver, pool, lanes } = open(2, 1, 2);
  lanes[0].data(0); // 1 of 2 exclusive is left, and the floating one makes up for it
  receiver.onBacklog(1, 3);
  receiver.onBacklog(0, 1);
  receiver.settled(0);
  assertEquals(lanes.map((lane) => lane.counts), [[3, 3, 1, 2], [2, 5, 0, 0]]);
  assertEquals(pool.waiting, 2);
});

Deno.test("CreditReceiver announces all that there is when its turn comes", () => {
  const { receiver, pool, lane } = open(2, 3);
  while (pool.tryTake());
  pool.addListener(() => {
    pool.giveBack();
    pool.giveBack();
    return true;
  });
  receiver.onBacklog(0, 3);
  pool.giveBack();
  assertEquals([lane.counts, receiver.credits(0)!.waiting], [[4, 5, 2, 2], true]);
});

Deno.test("CreditReceiver refuses a permit that it no longer requires, and leaves it to the next lane", () => {
  const { receiver, pool, lanes } = open(1, 1, 2);
  pool.tryTake();
  receiver.onBacklog(0, 1);
  receiver.onBacklog(1, 1);
  receiver.onBacklog(0, 0);
  pool.giveBack();
  assertEquals(lanes.map((lane) => lane.counts[2]), [0, 1]);
});

Deno.test("CreditReceiver.takeCredit() tells many credits in one message", () => {
  const { wire, receiver, lane } = open(3, 4);
  for (let n = 0; n < 3; n++) lane.data(0);
  for (let n = 0; n < 3; n++) receiver.settled(0);
  receiver.onBacklog(0, 4);
  assertEquals([wire.waiting, receiver.takeCredit(0), receiver.takeCredit(0)], [[0], 7, 0]);
  lane.data(4);
  assertEquals([wire.waiting, receiver.takeCredit(0)], [[0], 0]);
  receiver.settled(0);
  assertEquals([wire.waiting, receiver.takeCredit(0)], [[0, 0], 1]);
});

Deno.test("CreditReceiver takes events in line, without credit, with their backlog", () => {
  const { receiver, lane } = open(0, 3);
  assertEquals([lane.event(2), lane.counts], [true, [2, 2, 2, 2]]);
  receiver.takeCredit(0);
  assertEquals([lane.data(1), lane.event(1), lane.got], [true, true, ["flush", "data", "flush"]]);
});

Deno.test("CreditReceiver closes a lane whose data come without credit, and no other", () => {
  const { wire, receiver, pool, lanes } = open(1, 4, 2);
  lanes[0].data(2);
  assertEquals(lanes[0].counts, [3, 3, 3, 3]); // it has credit again, but the sender was not told of it
  assertEquals(lanes[0].data(1), false);
  const [error] = lanes[0].errors;
  assertEquals([error.kind, error.lane, wire.cancelled], ["credit", 0, [0]]);
  assertStringIncludes(
    error.message,
    "Cannot take message 1 of lane 0 as data needs credit, and none is left",
  );
  assertEquals([receiver.credits(0), pool.freePermits, lanes[0].got.length], [null, 4, 1]);
  assertEquals([lanes[1].data(0), lanes[1].errors], [true, []]);
});

Deno.test("CreditReceiver closes a lane whose messages have a gap, and no other", () => {
  const { receiver, wire, lanes } = open(2, 0, 2);
  lanes[0].data(0);
  assertEquals(receiver.onData(0, 29, 0, "late"), false);
  assertEquals([lanes[0].errors[0].kind, lanes[0].got, wire.cancelled], ["sequence", ["data"], [0]]);
  assertStringIncludes(lanes[0].errors[0].message, "Cannot take message 29 of lane 0");
  assertEquals(receiver.onEvent(1, 1, 0, { kind: "end" }), false);
  assertEquals([lanes[1].errors[0].kind, lanes[1].got], ["sequence", []]);
});

Deno.test("CreditReceiver leaves what comes for a closed lane with the caller, and cancels it", () => {
  const { receiver, wire, lane } = open(2, 0);
  receiver.closeLane(0);
  assertEquals([lane.data(0), lane.event(0), lane.got], [false, false, []]);
  assertEquals(wire.cancelled, [0, 0, 0]);
});

Deno.test("CreditReceiver.closeLane() returns all floating credit, used and unused, and is harmless twice", () => {
  const { receiver, pool, lane } = open(1, 4);
  lane.data(5);
  receiver.takeCredit(0);
  lane.data(5);
  assertEquals([pool.freePermits, pool.waiting], [0, 1]);
  receiver.closeLane(0);
  receiver.closeLane(0);
  assertEquals([pool.freePermits, pool.waiting], [4, 0]);
  receiver.settled(0);
  receiver.onBacklog(0, 3);
  assertEquals([receiver.takeCredit(0), pool.freePermits], [0, 4]);
});

Deno.test("CreditReceiver hands a closed lane's floating credit to those who wait", () => {
  const { receiver, pool, lanes } = open(0, 3, 2);
  receiver.onBacklog(0, 3);
  receiver.onBacklog(1, 3);
  receiver.closeLane(0);
  assertEquals([lanes[1].counts, pool.freePermits], [[3, 3, 3, 3], 0]);
});

Deno.test("CreditReceiver lets onData settle its buffer and close its lane", () => {
  const { wire, receiver, pool } = open(1, 2);
  let closing = false;
  receiver.openLane(7, {
    exclusive: 1,
    floating: pool,
    onData: () => {
      receiver.settled(7);
      if (closing) receiver.closeLane(7);
    },
    onEvent: () => {},
    onError: () => {},
  });
  assertEquals([receiver.onData(7, 0, 1, "a"), receiver.credits(7)!.inUse], [true, 0]);
  closing = true;
  receiver.takeCredit(7);
  assertEquals([receiver.onData(7, 1, 1, "b"), receiver.credits(7), pool.freePermits], [true, null, 2]);
  assertEquals(wire.cancelled, [7]);
});

Deno.test("CreditReceiver.openLane() refuses a lane that could never get a credit", () => {
  const error = assertThrows(() => open(0, 0), RangeError, "Cannot open lane 0");
  assertInstanceOf(error, RangeError);
  assertThrows(() => open(-1, 2), InvariantError);
  const { receiver, pool } = open(1, 0);
  assertThrows(() => new TestLane(receiver, 0, 1, pool), InvariantError, "opened twice");
});
