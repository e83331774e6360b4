/**
 * A channel under test next to what it should have done: every buffer that was added, received and settled, on every
 * lane. {@linkcode ChannelModel.check} holds the real credits and lists against it after each step.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { CreditReceiver } from "../../src/channel/credit_receiver.ts";
import type { CreditSender } from "../../src/channel/credit_sender.ts";
import { PermitPool } from "../../src/channel/permit_pool.ts";
import { type ChannelEvent, Subpartition } from "../../src/partition/subpartition.ts";

/** A numbered buffer that knows whether it was released. */
export class TestBuffer {
  readonly value: number;
  readonly #store: BufferStore;
  #released = false;

  constructor(value: number, store: BufferStore) {
    this.value = value;
    this.#store = store;
    store.lent++;
  }

  release(): void {
    assert(!this.#released, `buffer ${this.value} is released twice`);
    this.#released = true;
    this.#store.lent--;
  }
}

/** Counts the buffers that somebody holds. */
export class BufferStore {
  lent = 0;
}

/** One direction of a connection under test. */
export interface Channel {
  readonly sender: CreditSender<TestBuffer>;
  readonly receiver: CreditReceiver<TestBuffer>;
  /** Whether the wire takes messages. */
  readonly writable: boolean;
  /** Moves what is under way a bit; false when nothing is. */
  step(): boolean;
  /** Data and credits of the lane that left one end and did not arrive at the other. */
  underWay(lane: number): { data: number; credit: number };
}

/** Joins a sender and a receiver; copies are of `sink`, and `seed` decides what is late. */
export type JoinChannel = (received: BufferStore, seed: number) => Channel;

/** What the model opens. */
export interface ModelOptions {
  readonly lanes: number;
  readonly exclusive: number;
  readonly floating: number;
  readonly seed: number;
  /** Buffers that wait in each queue before the lanes are opened. */
  readonly queued?: number;
  /** Lanes that settle a buffer before `onData` returns. */
  readonly eager?: readonly number[];
}

/** One lane as it should be. */
class LaneModel {
  readonly queue = new Subpartition<TestBuffer>();
  readonly sent: (number | string)[] = [];
  readonly received: (number | string)[] = [];
  readonly held: TestBuffer[] = [];
  /** Buffers received in all. */
  data = 0;
  open = true;
}

/** A channel, its lanes, and what they should hold. */
export class ChannelModel {
  readonly channel: Channel;
  readonly pool: PermitPool;
  readonly lanes: LaneModel[] = [];
  readonly store = new BufferStore();
  readonly #exclusive: number;

  constructor(join: JoinChannel, options: ModelOptions) {
    this.channel = join(this.store, options.seed);
    this.pool = new PermitPool(options.floating);
    this.#exclusive = options.exclusive;
    for (let lane = 0; lane < options.lanes; lane++) {
      this.lanes.push(new LaneModel());
      this.add(lane, options.queued ?? 0);
      this.#open(lane, options.eager?.includes(lane) ?? false);
    }
  }

  #open(lane: number, eager: boolean): void {
    const model = this.lanes[lane];
    this.channel.receiver.openLane(lane, {
      exclusive: this.#exclusive,
      floating: this.pool,
      onData: (buffer) => {
        model.received.push(buffer.value);
        model.data++;
        model.held.push(buffer);
        if (eager) this.settle(lane);
      },
      onEvent: (event) => void model.received.push(label(event)),
      onError: (error) => {
        throw error;
      },
    });
    this.channel.sender.openLane(lane, model.queue, this.#exclusive);
  }

  /** Adds `count` buffers to the lane, telling the sender of each. */
  add(lane: number, count: number): void {
    const model = this.lanes[lane];
    for (; count > 0; count--) {
      const buffer = new TestBuffer(model.sent.length, this.store);
      model.sent.push(buffer.value);
      model.queue.add(buffer);
      this.channel.sender.notifyData(lane);
    }
  }

  addEvent(lane: number): void {
    const model = this.lanes[lane];
    const event: ChannelEvent = { kind: "barrier", id: model.sent.length };
    model.sent.push(label(event));
    model.queue.addEvent(event);
    this.channel.sender.notifyData(lane);
  }

  /** Settles the oldest buffer that the lane holds; false when it holds none. */
  settle(lane: number): boolean {
    const buffer = this.lanes[lane].held.shift();
    if (buffer === undefined) return false;
    buffer.release();
    this.channel.receiver.settled(lane);
    return true;
  }

  close(lane: number): void {
    this.lanes[lane].open = false;
    this.channel.receiver.closeLane(lane);
  }

  /** Moves everything that is under way. */
  deliver(): void {
    while (this.channel.step()) this.check();
    this.check();
  }

  /** Lets every lane but `stuck` settle until nothing moves. */
  finish(stuck: readonly number[] = []): void {
    for (let moved = true; moved;) {
      this.deliver();
      moved = false;
      for (const lane of this.lanes.keys()) {
        if (!stuck.includes(lane)) { while (this.settle(lane)) moved = true; }
      }
    }
    this.check();
  }

  /** Closes all, twice, and asserts that everything lent came back. */
  closeAll(): void {
    for (const lane of this.lanes.keys()) this.close(lane);
    this.deliver();
    for (const [lane, model] of this.lanes.entries()) {
      this.close(lane);
      this.channel.sender.cancel(lane);
      model.queue.drain((buffer) => buffer.release());
      while (this.settle(lane));
    }
    this.deliver();
    assertEquals(
      [this.pool.lentPermits, this.pool.waiting],
      [0, 0],
      "every permit is back, and nobody waits",
    );
    assertEquals(this.store.lent, 0, "every buffer is released");
    assertEquals(this.channel.sender.readyLanes, []);
  }

  /** The invariants, which hold between any two steps. */
  check(): void {
    const { sender, receiver, writable } = this.channel;
    const ready = sender.readyLanes;
    assertEquals(new Set(ready).size, ready.length, "a lane is at most once in the ready list");
    let floatingLent = 0;
    for (const [lane, model] of this.lanes.entries()) {
      assertEquals(
        model.received,
        model.sent.slice(0, model.received.length),
        "messages arrive once and in order",
      );
      if (!model.open) continue;
      const credits = receiver.credits(lane)!;
      const { data, credit } = this.channel.underWay(lane);
      assertEquals(
        sender.credits(lane) + credits.unannounced + credit + data,
        credits.available,
        "credit is conserved",
      );
      assertEquals(credits.inUse, model.held.length, "what is held is what has credit");
      const total = credits.available + credits.inUse;
      assert(
        total >= this.#exclusive && total <= this.#exclusive + this.pool.totalPermits,
        "a lane stays in its bounds",
      );
      floatingLent += total - this.#exclusive;
      assert(
        credits.available >= credits.required || credits.waiting,
        "a lane that requires more stands in line",
      );
      const head = model.queue.peekKind();
      const sendable = head === "event" || (head === "data" && sender.credits(lane) > 0);
      assertEquals(ready.includes(lane), sendable, "a lane is ready exactly when it can send");
    }
    if (writable) assertEquals(ready, [], "a wire that takes messages leaves no lane ready");
    assertEquals(floatingLent, this.pool.lentPermits, "permits are conserved");
    assert(this.pool.freePermits === 0 || this.pool.waiting === 0, "nobody waits while there is a permit");
  }
}

function label(event: ChannelEvent): string {
  return event.kind === "barrier" ? `barrier ${event.id}` : event.kind;
}
