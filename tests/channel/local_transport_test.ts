/** The channel within one process: the shared suite, and that nothing is copied. @module */
import { assertStrictEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../src/core/assert.ts";
import { joinLocal } from "../../src/channel/local_transport.ts";
import { PermitPool } from "../../src/channel/permit_pool.ts";
import { Subpartition } from "../../src/partition/subpartition.ts";
import type { TestBuffer } from "./channel_model.ts";
import { channelSuite } from "./channel_suite.ts";

channelSuite("joinLocal()", () => {
  const { sender, receiver } = joinLocal<TestBuffer>();
  return { sender, receiver, writable: true, step: () => false, underWay: () => ({ data: 0, credit: 0 }) };
});

Deno.test("joinLocal() hands over the same buffer", () => {
  const { sender, receiver } = joinLocal<object>();
  const buffer = {};
  let got: object | null = null;
  receiver.openLane(0, {
    exclusive: 1,
    floating: new PermitPool(0),
    onData: (received) => void (got = received),
    onEvent: () => {},
    onError: () => {},
  });
  const queue = new Subpartition<object>();
  queue.add(buffer);
  sender.openLane(0, queue, 1);
  assertStrictEquals(got, buffer);
});

Deno.test("joinLocal() tells loudly when the ends were opened with different credits", () => {
  const { sender, receiver } = joinLocal<object>();
  receiver.openLane(0, {
    exclusive: 1,
    floating: new PermitPool(0),
    onData: () => {},
    onEvent: () => {},
    onError: () => {},
  });
  const queue = new Subpartition<object>();
  queue.add({});
  queue.add({});
  assertThrows(() => sender.openLane(0, queue, 2), InvariantError, "has credit for what it sends");
});
