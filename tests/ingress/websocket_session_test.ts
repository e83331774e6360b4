/** `weir.v1`: a client is told how much it may send, and what became of it. @module */
import { assert, assertEquals } from "@std/assert";
import { frameOf, Opcode, type SocketClient } from "../support/socket_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

const V1 = { protocol: "weir.v1" };

/** Sum of what `client` was told under `name`. */
function sumOf(client: SocketClient, name: "credit" | "creditBytes"): number {
  return client.told.reduce((sum, message) => sum + Number(message[name] ?? 0), 0);
}

function lastAck(client: SocketClient): number {
  return Number(client.told.findLast((message) => message.ack !== undefined)?.ack ?? 0);
}

/** Connects and waits for the hello. */
async function open(stage: SocketGateway, path?: string): Promise<SocketClient> {
  const client = await stage.connect({ ...V1, path });
  await client.until(() => client.texts.length > 0, "told hello");
  return client;
}

Deno.test("WebSocketSession says hello first, with an id of its own and credit in records and bytes", async () => {
  await using stage = await SocketGateway.start();
  const [one, two] = [await open(stage), await open(stage)];
  for (const { told: [hello] } of [one, two]) {
    assertEquals(Object.keys(hello), ["hello", "credit", "creditBytes"]);
    assert(Number(hello.credit) > 0 && Number(hello.creditBytes) > 0);
  }
  assert(one.told[0].hello !== two.told[0].hello);
});

Deno.test("WebSocketSession acks what is stored, all up to the last together, and not before", async () => {
  await using stage = await SocketGateway.start();
  stage.sink.hold();
  const client = await open(stage);
  for (let k = 1; k <= 20; k++) await client.send(`${k}`);
  const { partition } = stage.gateway.streams.get("s")!;
  await stage.until(() => partition.acceptedRecords === 20, "all are taken");
  await client.send("", { opcode: Opcode.PING });
  await client.until(() => client.frames.some(({ opcode }) => opcode === Opcode.PONG), "a pong came");
  assertEquals(lastAck(client), 0);
  stage.sink.release();
  await client.until(() => lastAck(client) === 20, "all are acked");
  assertEquals(stage.sink.stored.length, 20);
  const acks = client.told.filter(({ ack }) => ack !== undefined).map(({ ack }) => Number(ack));
  assertEquals(acks, acks.toSorted((a, b) => a - b));
  assert(acks.length < 20, `${acks.length} acks for 20 messages`);
});

Deno.test("WebSocketSession acks what is in memory where the stream's ack is memory", async () => {
  await using stage = await SocketGateway.start({ stream: { ack: "memory" } });
  stage.sink.hold();
  const client = await open(stage);
  for (let k = 1; k <= 5; k++) await client.send(`${k}`);
  await client.until(() => lastAck(client) === 5, "all are acked");
  assertEquals(stage.sink.stored.length, 0);
});

Deno.test("WebSocketSession tells a reject before the ack that covers it, and goes on", async () => {
  await using stage = await SocketGateway.start({ stream: { validate: "json" } });
  const client = await open(stage);
  for (const message of ["1", "{", "", "2"]) await client.send(message);
  await client.until(() => lastAck(client) === 4, "all are accounted for");
  const rejects = client.told.filter(({ reject }) => reject !== undefined);
  assertEquals(rejects.map(({ reject }) => reject), [2, 3]);
  for (const { reason } of rejects) assert(String(reason).length > 0);
  for (const { reject } of rejects) {
    const at = client.told.findIndex((message) => message.reject === reject);
    const before = client.told.slice(0, at).filter(({ ack }) => Number(ack) >= Number(reject));
    assertEquals(before, [], `no ack before reject ${reject} covers it`);
  }
  assertEquals(stage.sink.stored, ["1", "2"]);
  assertEquals(stage.gateway.view.snapshot().streams[0].rejectedRecords, 2);
});

Deno.test("WebSocketSession keeps room for the credit that it told, so that all of it is taken while the sink is held", async () => {
  await using stage = await SocketGateway.start();
  stage.sink.hold();
  const client = await open(stage);
  const { partition, door } = stage.gateway.streams.get("s")!;
  const message = "x".repeat(200);
  let sent = 0;
  for (let idleRounds = 0; idleRounds < 20;) {
    const room = Math.min(
      sumOf(client, "credit") - sent,
      Math.floor((sumOf(client, "creditBytes") - sent * message.length) / message.length),
    );
    if (room <= 0) {
      idleRounds++;
      await new Promise((resolve) => setTimeout(resolve, 10));
      continue;
    }
    idleRounds = 0;
    for (let k = 0; k < room; k++) await client.send(message);
    sent += room;
    // Inside its credit nothing keeps a ping from its pong.
    const pongs = client.frames.length;
    await client.send("", { opcode: Opcode.PING });
    await client.until(() => client.frames.length > pongs, "a pong came");
    assertEquals(door.pausedSockets, 0);
  }
  assertEquals(partition.acceptedRecords, sent);
  assert(sent > 40, `${sent} were sent`);
  stage.sink.release();
  await client.until(() => lastAck(client) === sent, "all are acked");
  await client.until(() => sumOf(client, "credit") > sent, "it may send more");
});

Deno.test("WebSocketSession does not read who overruns until there is room, and loses nothing of it", async () => {
  await using stage = await SocketGateway.start({ buffers: { segments: 256 }, stream: { maxSegments: 40 } });
  stage.sink.hold();
  const client = await open(stage);
  const { door, pool } = stage.gateway.streams.get("s")!;
  const messages = 20_000;
  const sending = (async () => {
    for (let k = 0; k < messages; k++) await client.send(`${k} ${"x".repeat(500)}`);
  })();
  await stage.until(() => door.pausedSockets === 1, "it is paused");
  assert(pool.lentSegments <= pool.size + pool.maxOverdraft);
  stage.sink.release();
  await sending;
  await client.until(() => lastAck(client) === messages, "all are acked");
  assertEquals(stage.sink.stored.map((value) => Number(value.split(" ")[0])), [...Array(messages).keys()]);
});

Deno.test("WebSocketSession tells many clients together no more than half of what is free", async () => {
  await using stage = await SocketGateway.start({ buffers: { segments: 128 }, stream: { maxSegments: 64 } });
  const clients = await Promise.all(Array.from({ length: 200 }, () => open(stage)));
  const { admission, pool } = stage.gateway.streams.get("s")!;
  const told = clients.reduce((sum, client) => sum + sumOf(client, "creditBytes"), 0);
  assert(
    told <= pool.size * pool.segmentBytes / 2,
    `${told} bytes are told of ${pool.size * pool.segmentBytes}`,
  );
  assert(told > 0 && admission.creditBytes >= told);
  // Those who came when all was told are told more when others leave.
  const waiting = clients.find((client) => sumOf(client, "credit") === 0);
  if (waiting === undefined) throw new Error("200 clients are told credit, more than there is");
  for (const client of clients) if (client !== waiting) client[Symbol.dispose]();
  await waiting.until(() => sumOf(waiting, "credit") > 0, "the last one is told credit");
});

Deno.test("WebSocketSession closes with 1001 after the last ack when the gateway drains", async () => {
  await using stage = await SocketGateway.start();
  stage.sink.hold();
  const client = await open(stage);
  for (let k = 1; k <= 10; k++) await client.send(`${k}`);
  const { partition } = stage.gateway.streams.get("s")!;
  await stage.until(() => partition.acceptedRecords === 10, "all are taken");
  const stopped = stage.gateway.stop();
  stage.sink.release();
  assertEquals([await client.closeCode(), lastAck(client)], [1001, 10]);
  await stopped;
});

Deno.test("WebSocketSession does not read a client that does not read what it is told", async () => {
  await using stage = await SocketGateway.start({ stream: { validate: "json", ack: "memory" } });
  const { door } = stage.gateway.streams.get("s")!;
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: stage.gateway.port });
  await connection.write(new TextEncoder().encode(
    "GET /v1/streams/s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
      "Sec-WebSocket-Protocol: weir.v1\r\n\r\n",
  ));
  // Each of one byte that is no JSON, and each is answered with a reject that nobody reads.
  const frame = [0x81, 0x81, 0, 0, 0, 0, 0x7b];
  const block = Uint8Array.from({ length: frame.length * 10_000 }, (_, i) => frame[i % frame.length]);
  const sending = (async () => {
    for (;;) for (let at = 0; at < block.length;) at += await connection.write(block.subarray(at));
  })().catch(() => {}); // ends with the connection
  await stage.until(() => door.pausedSockets === 1, "it is paused");
  const rejected = door.rejectedRecords;
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert(door.rejectedRecords - rejected < 50_000, "it is read on");
  connection.close();
  await sending;
});

Deno.test("WebSocketSession keeps the order when a small message within credit comes behind one that waits for the quota", async () => {
  await using stage = await SocketGateway.start({
    stream: { limit: { bytesPerSecond: 10_000, burstBytes: 4_000 } },
  });
  const client = await open(stage);
  const messages = ["a".repeat(3_000), "b".repeat(3_000), "c"];
  // In one read: what comes behind the pause is parsed already.
  const frames = messages.map((message) => frameOf(message));
  await client.write(Uint8Array.from(frames.flatMap((frame) => [...frame])));
  await client.until(() => lastAck(client) === 3, "all are acked");
  assertEquals(stage.sink.stored, messages);
});
