/** The sender against a wire that writes down what it is given. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../src/core/assert.ts";
import { CreditSender, type SenderTransport } from "../../src/channel/credit_sender.ts";
import { type ChannelEvent, Subpartition } from "../../src/partition/subpartition.ts";

class RecordingWire implements SenderTransport<string> {
  writable = true;
  /** `lane:sequence:backlog:what`, in order. */
  readonly sent: string[] = [];
  readonly announced: string[] = [];
  /** Runs inside `sendData`, as the receiver does in one process. */
  onSend: (lane: number) => void = () => {};

  sendData(lane: number, sequence: number, backlog: number, buffer: string): void {
    this.sent.push(`${lane}:${sequence}:${backlog}:${buffer}`);
    this.onSend(lane);
  }
  sendEvent(lane: number, sequence: number, backlog: number, event: ChannelEvent): void {
    this.sent.push(`${lane}:${sequence}:${backlog}:${event.kind}`);
  }
  announceBacklog(lane: number, backlog: number): void {
    this.announced.push(`${lane}:${backlog}`);
  }
}

function open(initialCredits: number[]) {
  const wire = new RecordingWire();
  const sender = new CreditSender<string>(wire);
  const queues = initialCredits.map(() => new Subpartition<string>());
  initialCredits.forEach((credit, lane) => sender.openLane(lane, queues[lane], credit));
  const add = (lane: number, ...buffers: string[]) => {
    for (const buffer of buffers) {
      queues[lane].add(buffer);
      sender.notifyData(lane);
    }
  };
  return { wire, sender, queues, add };
}

Deno.test("CreditSender sends exactly what it has credit for", () => {
  // Flink's testEnqueueReaderByNotifyingBufferAndCredit.
  const { wire, sender, queues } = open([0]);
  wire.writable = false;
  for (let n = 0; n < 10; n++) queues[0].add(`${n}`);
  for (let n = 0; n < 5; n++) sender.notifyData(0);
  assertEquals(sender.readyLanes, []);
  for (let n = 0; n < 3; n++) {
    sender.onCredit(0, 1);
    assertEquals(sender.readyLanes, [0]);
  }
  assertEquals(sender.credits(0), 3);
  wire.writable = true;
  sender.onWritable();
  assertEquals(wire.sent, ["0:0:9:0", "0:1:8:1", "0:2:7:2"]);
  assertEquals([sender.credits(0), queues[0].backlog, sender.readyLanes], [0, 7, []]);
});

Deno.test("CreditSender lets an event pass without credit, and no data behind it", () => {
  const { wire, sender, queues } = open([0]);
  queues[0].addEvent({ kind: "barrier", id: 1 });
  queues[0].add("a");
  queues[0].addEvent({ kind: "end" });
  sender.notifyData(0);
  assertEquals([wire.sent, sender.credits(0)], [["0:0:1:barrier"], 0]);
  sender.onCredit(0, 1);
  assertEquals(wire.sent.slice(1), ["0:1:0:a", "0:2:0:end"]);
});

Deno.test("CreditSender announces the backlog of a lane that never had credit, once for each change", () => {
  const { wire, sender, add } = open([0]);
  add(0, "a", "b");
  sender.notifyData(0);
  sender.onWritable();
  assertEquals(wire.announced, ["0:1", "0:2"]);
  sender.onCredit(0, 1);
  assertEquals(wire.sent, ["0:0:1:a"]);
  sender.notifyData(0);
  assertEquals(wire.announced.length, 2); // the message said that 1 is left
});

Deno.test("CreditSender never announces a backlog on a lane with initial credit", () => {
  const { wire, add } = open([2]);
  add(0, "a", "b", "c", "d");
  assertEquals([wire.sent.length, wire.announced], [2, []]);
});

Deno.test("CreditSender.openLane() tells what was queued before", () => {
  const wire = new RecordingWire();
  const sender = new CreditSender<string>(wire);
  const queues = [new Subpartition<string>(), new Subpartition<string>()];
  for (const [lane, queue] of queues.entries()) {
    queue.add("a");
    queue.add("b");
    sender.openLane(lane, queue, lane);
  }
  assertEquals([wire.sent, wire.announced], [["1:0:1:a"], ["0:2"]]);
});

Deno.test("CreditSender gives a blocked wire one announcement for many buffers, and none that is out of date", () => {
  const { wire, sender, add } = open([0, 0]);
  wire.writable = false;
  add(0, "a", "b", "c");
  add(1, "x");
  sender.onCredit(1, 1);
  assertEquals(wire.announced, []);
  wire.writable = true;
  sender.onWritable();
  assertEquals([wire.announced, wire.sent], [["0:3"], ["1:0:0:x"]]);
  sender.onWritable();
  assertEquals(wire.announced, ["0:3"]);
});

Deno.test("CreditSender takes turns: one message a lane, in the order in which they became ready", () => {
  const { wire, sender, add } = open([3, 1, 3]);
  wire.writable = false;
  add(2, "a", "b", "c");
  add(1, "a", "b", "c");
  add(0, "a", "b", "c");
  assertEquals(sender.readyLanes, [2, 1, 0]);
  wire.writable = true;
  sender.onWritable();
  assertEquals(wire.sent.map((line) => line[0]).join(""), "2102020");
});

Deno.test("CreditSender stops as soon as the wire is full, and goes on where it was", () => {
  const { wire, sender, add } = open([9, 9]);
  wire.writable = false;
  add(0, "a", "b");
  add(1, "a", "b");
  wire.onSend = () => wire.writable = false;
  for (let n = 1; n <= 4; n++) {
    wire.writable = true;
    sender.onWritable();
    assertEquals(wire.sent.length, n);
  }
  assertEquals(wire.sent.map((line) => line[0]).join(""), "0101");
});

Deno.test("CreditSender keeps turns and a flat stack when credit comes from inside sendData", () => {
  const { wire, sender, queues } = open([1, 1]);
  const count = 20_000;
  for (let n = 0; n < count; n++) for (const queue of queues) queue.add("x");
  let deep = 0;
  let deepest = 0;
  wire.onSend = (lane) => {
    deepest = Math.max(deepest, ++deep);
    if (lane === 0) sender.notifyData(1);
    sender.onCredit(lane, 1);
    deep--;
  };
  sender.notifyData(0);
  assertEquals([wire.sent.length, deepest], [2 * count, 1]);
  assertEquals(wire.sent.slice(0, 8).map((line) => line[0]).join(""), "01010101");
});

Deno.test("CreditSender.cancel() takes a lane out, wherever it stands, and is harmless twice", () => {
  for (const cancelled of [0, 1, 2]) {
    const { wire, sender, queues, add } = open([1, 1, 1]);
    wire.writable = false;
    for (const lane of [0, 1, 2]) add(lane, "a");
    sender.cancel(cancelled);
    sender.cancel(cancelled);
    const left = [0, 1, 2].filter((lane) => lane !== cancelled);
    assertEquals(sender.readyLanes, left);
    sender.notifyData(cancelled);
    sender.onCredit(cancelled, 1);
    assertEquals(sender.credits(cancelled), 0);
    add(left[0], "b");
    sender.onCredit(left[0], 1);
    wire.writable = true;
    sender.onWritable();
    assertEquals(wire.sent.map((line) => Number(line[0])), [...left, left[0]]);
    assertEquals(queues[cancelled].backlog, 1); // what was queued stays with its owner
  }
});

Deno.test("CreditSender.cancel() from inside sendData ends the lane at once", () => {
  const { wire, sender, queues } = open([5]);
  for (let n = 0; n < 5; n++) queues[0].add(`${n}`);
  wire.onSend = () => sender.cancel(0);
  sender.notifyData(0);
  assertEquals([wire.sent, sender.readyLanes, queues[0].backlog], [["0:0:4:0"], [], 4]);
});

Deno.test("CreditSender takes credit as deltas of 1 or more", () => {
  const { sender } = open([2]);
  sender.onCredit(0, 3);
  assertEquals(sender.credits(0), 5);
  for (const delta of [0, -1, 1.5, NaN]) assertThrows(() => sender.onCredit(0, delta), InvariantError);
});

Deno.test("CreditSender.openLane() refuses a number that is in use", () => {
  const { sender } = open([1]);
  assertThrows(() => sender.openLane(0, new Subpartition(), 1), InvariantError, "opened twice");
});
