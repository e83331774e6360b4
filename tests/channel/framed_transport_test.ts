/** The channel over a byte stream: the shared suite, and what only a wire can get wrong. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { ChannelError } from "../../src/channel/channel_error.ts";
import { PermitPool } from "../../src/channel/permit_pool.ts";
import { Subpartition } from "../../src/partition/subpartition.ts";
import {
  type BufferCodec,
  FramedEnd,
  FramedLink,
  FrameType,
  HIGH_MARK_BYTES,
} from "../support/framed_transport.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { BufferStore, TestBuffer } from "./channel_model.ts";
import { channelSuite } from "./channel_suite.ts";

/** A payload of 4 to 67 bytes, so that frames end anywhere. */
function codec(store: BufferStore): BufferCodec<TestBuffer> {
  return {
    encode(buffer) {
      const payload = new Uint8Array(4 + (buffer.value * 37) % 64);
      new DataView(payload.buffer).setUint32(0, buffer.value);
      buffer.release();
      return payload;
    },
    decode: (payload) => new TestBuffer(new DataView(payload.buffer, payload.byteOffset).getUint32(0), store),
    discard: (buffer) => buffer.release(),
  };
}

channelSuite("A framed byte stream", (store, seed) => {
  const link = new FramedLink(codec(store), seededRandom(seed));
  return {
    sender: link.a.sender,
    receiver: link.b.receiver,
    get writable() {
      assert(
        link.a.maxQueuedBytes <= HIGH_MARK_BYTES + 100,
        "the wire is given one message over its mark at most",
      );
      return link.a.writable;
    },
    step: () => link.step(),
    underWay: (lane) => ({ data: link.a.underWay(lane).data, credit: link.b.underWay(lane).credit }),
  };
});

interface Lane {
  readonly queue: Subpartition<TestBuffer>;
  readonly got: TestBuffer[];
  readonly errors: ChannelError[];
}

/** Opens the lane from `from` to `to`. */
function open(from: FramedEnd<TestBuffer>, to: FramedEnd<TestBuffer>, lane: number, exclusive: number): Lane {
  const opened: Lane = { queue: new Subpartition(), got: [], errors: [] };
  to.receiver.openLane(lane, {
    exclusive,
    floating: new PermitPool(0),
    onData: (buffer) => void opened.got.push(buffer),
    onEvent: () => {},
    onError: (error) => void opened.errors.push(error),
  });
  from.sender.openLane(lane, opened.queue, exclusive);
  return opened;
}

function add(
  end: FramedEnd<TestBuffer>,
  lane: number,
  opened: Lane,
  store: BufferStore,
  count: number,
): void {
  for (let n = 0; n < count; n++) {
    opened.queue.add(new TestBuffer(n, store));
    end.sender.notifyData(lane);
  }
}

Deno.test("A framed byte stream puts CREDIT in front of data that wait on the same wire", () => {
  const store = new BufferStore();
  const { a, b } = new FramedLink(codec(store), seededRandom(1));
  const out = open(a, b, 0, 2);
  const back = open(b, a, 0, 9);
  add(b, 0, back, store, 4);
  add(a, 0, out, store, 3);
  b.receive(a.transmit(Infinity), a);
  assertEquals(out.got.length, 2);
  b.receiver.settled(0);
  a.receive(b.transmit(30), b); // a CREDIT is 21 bytes: whole, although four DATA were queued before it
  assertEquals([a.received[FrameType.CREDIT], a.received[FrameType.DATA]], [1, 0]);
});

Deno.test("A framed byte stream tells all credit that came while the wire was busy in one CREDIT", () => {
  const store = new BufferStore();
  const { a, b } = new FramedLink(codec(store), seededRandom(1));
  const out = open(a, b, 0, 5);
  add(a, 0, out, store, 5);
  while (out.got.length < 5) b.receive(a.transmit(Infinity), a);
  for (let n = 0; n < 5; n++) b.receiver.settled(0);
  a.receive(b.transmit(Infinity), b);
  assertEquals([a.received[FrameType.CREDIT], a.sender.credits(0)], [1, 5]);
});

Deno.test("A framed byte stream that loses a message loses that lane, and no other", () => {
  const store = new BufferStore();
  const link = new FramedLink(codec(store), seededRandom(1));
  const { a, b } = link;
  const lanes = [open(a, b, 0, 4), open(a, b, 1, 4)];
  add(a, 0, lanes[0], store, 1);
  a.transmit(Infinity); // lost
  add(a, 0, lanes[0], store, 2);
  add(a, 1, lanes[1], store, 2);
  while (link.step());
  assertEquals([lanes[0].errors.map((error) => error.kind), lanes[0].got.length], [["sequence"], 0]);
  assertEquals([lanes[1].errors, lanes[1].got.length], [[], 2]);
  add(a, 0, lanes[0], store, 1);
  assertEquals(lanes[0].queue.backlog, 1); // its sender was told to stop
  for (const buffer of lanes[1].got) buffer.release();
  lanes[0].queue.drain((buffer) => buffer.release());
  assertEquals(store.lent, 0);
});

Deno.test("A framed byte stream refuses what is no frame", () => {
  const store = new BufferStore();
  const { a, b } = new FramedLink(codec(store), seededRandom(1));
  const bytes = new Uint8Array(21);
  bytes[3] = 21;
  assertThrows(() => b.receive(bytes, a), Error, "must begin with magic");
});
