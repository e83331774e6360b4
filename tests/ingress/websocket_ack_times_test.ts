/** When `weir.v1` tells what became of messages: on a running gateway whose time the test moves. @module */
import { assertEquals } from "@std/assert";
import { ManualClock } from "../support/manual_clock.ts";
import { Opcode, type SocketClient } from "../support/socket_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

/** The contract's bound. */
const LATEST_MS = 50;
/** Far more, and less than the time that a write may take or that is between two pings. */
const LONG_MS = 5_000;

function acksOf(client: SocketClient): number[] {
  return client.told.filter(({ ack }) => ack !== undefined).map(({ ack }) => Number(ack));
}

/** Resolves when the gateway has read all that `client` sent, and `client` all that the gateway had sent until then. */
async function isRead(client: SocketClient): Promise<void> {
  const pongs = client.frames.length;
  await client.send("", { opcode: Opcode.PING });
  await client.until(
    () => client.frames.some(({ opcode }, i) => i >= pongs && opcode === Opcode.PONG),
    "pong",
  );
}

async function open(stage: SocketGateway): Promise<SocketClient> {
  const client = await stage.connect({ protocol: "weir.v1" });
  await client.until(() => client.told.length === 1, "hello");
  return client;
}

async function settled(stage: SocketGateway, records: number): Promise<void> {
  const { lanes } = stage.gateway.streams.get("s")!;
  await stage.until(() => stage.sink.stored.length === records, `${records} are stored`);
  await stage.until(() => lanes.every(({ lane }) => lane.input.unsettledRecords === 0), "all are settled");
}

Deno.test("WebSocketSession tells an ack within 50 ms of the outcome, and one for all outcomes of that time", async () => {
  const clock = new ManualClock();
  await using stage = await SocketGateway.start({ clock });
  stage.sink.hold();
  const clients = [await open(stage), await open(stage)];
  for (const client of clients) for (const message of ["1", "2", "3"]) await client.send(message);
  for (const client of clients) await isRead(client);
  clock.advance(LONG_MS);
  for (const client of clients) await isRead(client);
  assertEquals(clients.map(acksOf), [[], []]);
  // All that follows happens in one moment.
  stage.sink.release();
  await settled(stage, 6);
  for (const client of clients) await client.send("4");
  for (const client of clients) await isRead(client);
  await settled(stage, 8);
  for (const client of clients) await isRead(client);
  clock.advance(LATEST_MS);
  for (const client of clients) await client.until(() => acksOf(client).length > 0, "an ack");
  clock.advance(LONG_MS);
  for (const client of clients) await isRead(client);
  assertEquals(clients.map(acksOf), [[4], [4]]);
});

Deno.test("WebSocketSession tells within 50 ms that a message is in memory, where that is the ack, or refused", async () => {
  const clock = new ManualClock();
  await using stage = await SocketGateway.start({ clock, stream: { ack: "memory", validate: "json" } });
  stage.sink.hold();
  const client = await open(stage);
  for (let round = 1; round <= 3; round++) {
    for (const message of ["1", "{", "2"]) await client.send(message);
    await isRead(client);
    clock.advance(LATEST_MS);
    await client.until(() => acksOf(client).at(-1) === round * 3, "an ack");
    assertEquals(acksOf(client).length, round);
    clock.advance(LONG_MS);
    await isRead(client);
  }
  const rejects = client.told.filter(({ reject }) => reject !== undefined).map(({ reject }) => reject);
  assertEquals([acksOf(client), rejects], [[3, 6, 9], [2, 5, 8]]);
});
