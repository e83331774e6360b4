/**
 * WebSocket clients that vanish without a word, in every phase of a connection: what they held comes back, what was
 * taken of theirs is delivered, and those who stay are served.
 *
 * @module
 */
import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import { HttpConnection, isConnectionLoss } from "../support/http_client.ts";
import { frameOf, Opcode, type SocketClient } from "../support/socket_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

const LINE = '{"vanishes":true}';
const WHOLE = frameOf(LINE);
const LARGE = frameOf(`"${"x".repeat(300_000)}"`);
const HANDSHAKE =
  "GET /v1/streams/s HTTP/1.1\r\nHost: weir\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** What the client sends before it is gone, as a plain one or in a session. */
const PHASES: readonly (readonly [string, string | undefined, Uint8Array])[] = [
  ["upgraded", undefined, new Uint8Array(0)],
  ["in the head of a frame", undefined, WHOLE.subarray(0, 1)],
  ["before the last byte", undefined, WHOLE.subarray(0, -1)],
  ["in the middle of a large message", undefined, LARGE.subarray(0, 200_000)],
  ["between two fragments", undefined, frameOf(LINE, { fin: false })],
  ["behind a ping", undefined, frameOf(LINE, { opcode: Opcode.PING })],
  ["with credit", "weir.v1", new Uint8Array(0)],
  ["with part of a message within its credit", "weir.v1", LARGE.subarray(0, 200_000)],
  ["before its ack", "weir.v1", WHOLE],
];

/** Bytes of a client that the test may close meanwhile. */
async function write(client: SocketClient, bytes: Uint8Array): Promise<void> {
  try {
    await client.write(bytes);
  } catch (error) {
    const isOurs = error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
    if (!isOurs && !isConnectionLoss(error)) throw error;
  }
}

async function allHome(stage: SocketGateway): Promise<void> {
  const { door, pool, partition } = stage.gateway.streams.get("s")!;
  await stage.until(() => stage.gateway.sockets.connections === 0 && door.sockets.size === 0, "all are gone");
  await stage.until(() => stage.sink.stored.length === partition.acceptedRecords, "what was taken is stored");
  // A stream that was used keeps its open segment.
  await stage.until(() => pool.lentSegments <= 1, "every other segment is home");
  assert(door.pausedSockets === 0, `${door.pausedSockets} sockets that are gone count as paused`);
}

Deno.test("WebSocketIngress lets go of clients that vanish in the middle of their upgrade", async () => {
  await using stage = await SocketGateway.start();
  for (let round = 0; round < 10; round++) {
    for (const bytes of [HANDSHAKE.slice(0, 100), HANDSHAKE, `${HANDSHAKE}\r\n`, `${HANDSHAKE}\r\n\x81`]) {
      using connection = await HttpConnection.open(stage.gateway.port);
      await connection.write(bytes);
      // Some are gone before the gateway has read anything, some after.
      if (round % 2 === 0) await delay(2);
    }
  }
  await allHome(stage);
  const client = await stage.connect();
  await client.send("served");
  await stage.until(() => stage.sink.stored.includes("served"), "who stays is served");
});

for (const [name, protocol, bytes] of PHASES) {
  Deno.test(`WebSocketConnection gives back what a client held that vanishes ${name}`, async () => {
    await using stage = await SocketGateway.start({ stream: { ack: "delivered" } });
    for (let round = 0; round < 10; round++) {
      using client = await stage.connect({ protocol });
      if (protocol !== undefined) await client.until(() => client.texts.length > 0, "hello");
      await write(client, bytes);
      if (round % 2 === 0) await delay(2);
    }
    await allHome(stage);
  });
}

Deno.test("WebSocketConnection gives back what paused clients held that vanish", async () => {
  const clients = 20;
  await using stage = await SocketGateway.start({ buffers: { segments: 256 }, stream: { maxSegments: 40 } });
  const { door } = stage.gateway.streams.get("s")!;
  stage.sink.hold();
  const message = frameOf("x".repeat(30_000));
  const writing = Array.from({ length: clients }, async (_, k) => {
    const client = await stage.connect({ protocol: k % 2 === 0 ? undefined : "weir.v1" });
    for (let i = 0; i < 500 && !client.ended; i++) await write(client, message);
  });
  await stage.until(() => door.pausedSockets === clients, "all are paused");
  for (const client of stage.clients) client[Symbol.dispose]();
  await Promise.all(writing);
  stage.sink.release();
  await allHome(stage);
});
