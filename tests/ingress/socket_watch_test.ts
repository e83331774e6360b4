/** What becomes of WebSockets that are quiet: on a running gateway whose time the test moves. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { WebSocketConnection } from "../../src/ingress/websocket_connection.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { frameOf, Opcode, type SocketClient } from "../support/socket_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

const PING_MS = 2_000;
const IDLE_MS = 7_000;
/** How late an idle connection may be closed. */
const LATE_MS = IDLE_MS / 10;
/** How late a client may be told what it waits for. */
const TELL_MS = 50;
/** More, of 500 bytes, than a stream of 40 segments and the sockets hold. */
const MESSAGES = 10_000;
/** What the gateway gives a client to close a connection that it closed itself. */
const CLOSE_MS = 1_000;

/** Whether it is pinged meanwhile changes nothing about who is idle. */
const TIMES = [
  { pingMs: PING_MS, idleTimeoutMs: IDLE_MS },
  { pingMs: 0, idleTimeoutMs: IDLE_MS },
];

interface Timed {
  readonly clock: ManualClock;
  readonly stage: SocketGateway;
}

async function start(options: Parameters<typeof SocketGateway.start>[0]): Promise<Timed> {
  const clock = new ManualClock();
  return { clock, stage: await SocketGateway.start({ ...options, clock }) };
}

/** With a sink that is held, and a client whose messages are more than there is room for: `filled` when all are sent. */
async function startFull(): Promise<Timed & { readonly filled: Promise<void> }> {
  const timed = await start({
    listen: { pingMs: PING_MS, idleTimeoutMs: IDLE_MS },
    buffers: { segments: 256 },
    stream: { maxSegments: 40 },
  });
  const { stage } = timed;
  stage.sink.hold();
  const greedy = await stage.connect();
  const filled = (async () => {
    for (let k = 0; k < MESSAGES; k++) await greedy.send(`${k} ${"x".repeat(500)}`);
  })();
  await stage.until(() => stage.gateway.streams.get("s")!.door.pausedSockets === 1, "it is full");
  return { ...timed, filled };
}

/** The only connection. */
function connectionOf(stage: SocketGateway): WebSocketConnection {
  const [connection] = stage.gateway.streams.get("s")!.door.sockets;
  if (connection instanceof WebSocketConnection) return connection;
  throw new Error("there is no connection");
}

const pingsOf = (client: SocketClient): number =>
  client.frames.filter(({ opcode }) => opcode === Opcode.PING).length;

/** Resolves when the gateway has read all that `client` sent, and `client` all that the gateway had sent until then. */
async function isRead(client: SocketClient): Promise<void> {
  const pongs = () => client.frames.filter(({ opcode }) => opcode === Opcode.PONG).length;
  const before = pongs();
  await client.send("", { opcode: Opcode.PING });
  await client.until(() => pongs() > before, "a pong came");
}

/** Lets `ms` pass in steps of a second, and has `client` answer each ping that it gets. */
async function answerPings(clock: ManualClock, client: SocketClient, ms: number): Promise<void> {
  let answered = pingsOf(client);
  for (let passedMs = 0; passedMs < ms && client.closed === null; passedMs += 1_000) {
    clock.advance(Math.min(1_000, ms - passedMs));
    await isRead(client);
    for (; answered < pingsOf(client); answered++) await client.send("", { opcode: Opcode.PONG });
  }
}

Deno.test("SocketWatch pings a quiet client once in pingMs, also one that answers, and nobody who sends messages", async () => {
  const { clock, stage } = await start({ listen: { pingMs: PING_MS } });
  await using _ = stage;
  const [quiet, busy] = [await stage.connect(), await stage.connect()];
  clock.advance(PING_MS - 1);
  await isRead(quiet);
  assertEquals(pingsOf(quiet), 0);
  clock.advance(1);
  await quiet.until(() => pingsOf(quiet) === 1, "a ping");
  await busy.until(() => pingsOf(busy) === 1, "a ping");
  for (let pings = 1; pings <= 5; pings++) {
    await quiet.send("", { opcode: Opcode.PONG });
    clock.advance(PING_MS / 2);
    await busy.send("message");
    for (const client of [quiet, busy]) await isRead(client);
    clock.advance(PING_MS / 2);
    await quiet.until(() => pingsOf(quiet) === pings + 1, "the next ping");
    await isRead(busy);
    assertEquals(pingsOf(busy), 1);
  }
});

Deno.test("SocketWatch cuts a client that sends nothing after two pings, and none that answers or pings itself", async () => {
  const { clock, stage } = await start({ listen: { pingMs: PING_MS } });
  await using _ = stage;
  const clients = [await stage.connect(), await stage.connect(), await stage.connect()];
  const [silent, answering, asking] = clients;
  for (let pings = 1; pings <= 2; pings++) {
    clock.advance(PING_MS / 2);
    await isRead(asking);
    clock.advance(PING_MS / 2);
    for (const client of clients) await client.until(() => pingsOf(client) === pings, "a ping");
    await answering.send("", { opcode: Opcode.PONG });
    await isRead(answering);
  }
  clock.advance(PING_MS / 2);
  await isRead(asking);
  clock.advance(PING_MS / 2 - 1);
  await isRead(asking);
  assertEquals([silent.ended, stage.gateway.sockets.connections], [false, 3]);
  clock.advance(1);
  await silent.until(() => silent.ended, "it is cut");
  assertEquals(silent.closed, null);
  for (const client of [answering, asking]) await isRead(client);
  assertEquals(stage.gateway.sockets.connections, 2);
});

for (const listen of TIMES) {
  const name = `pingMs ${listen.pingMs}`;

  Deno.test(`SocketWatch closes an idle client with 1001 though it answers pings (${name})`, async () => {
    const { clock, stage } = await start({ listen });
    await using _ = stage;
    const client = await stage.connect();
    await answerPings(clock, client, IDLE_MS / 2);
    await client.send("a message");
    await isRead(client);
    await answerPings(clock, client, IDLE_MS - 1);
    assertEquals(client.closed, null);
    clock.advance(1 + LATE_MS);
    assertEquals(await client.closeCode(), 1001);
    assertStringIncludes(client.closed!.reason, `idleTimeoutMs ${IDLE_MS}`);
    await stage.until(() => stage.sink.stored.length === 1, "its message is stored");
  });
}

Deno.test("SocketWatch counts whatever comes of a message, and no pong in the middle of it", async () => {
  const { clock, stage } = await start({ listen: { pingMs: 0, idleTimeoutMs: IDLE_MS } });
  await using _ = stage;
  const client = await stage.connect();
  const frame = frameOf("x".repeat(200), { fin: false });
  for (const part of [frame.subarray(0, 100), frame.subarray(100, 150), frame.subarray(150)]) {
    clock.advance(IDLE_MS - 1);
    await client.write(part);
    await stage.until(() => connectionOf(stage).lastByteMs === clock.nowMs(), "it is read");
  }
  await answerPings(clock, client, IDLE_MS - 1);
  assertEquals(client.closed, null);
  for (let sent = 0; sent < 3; sent++) await client.send("unasked", { opcode: Opcode.PONG });
  await isRead(client);
  clock.advance(1 + LATE_MS);
  assertEquals(await client.closeCode(), 1001);
});

Deno.test("SocketWatch closes no client that is not read, and counts from when it is read again", async () => {
  const { clock, stage, filled } = await startFull();
  await using _ = stage;
  const client = await stage.connect();
  // It is held when the pause begins, so nothing more comes when the pause ends.
  await client.send("last");
  const { door } = stage.gateway.streams.get("s")!;
  await stage.until(() => door.pausedSockets === 2, "it is paused");
  clock.advance(10 * IDLE_MS);
  await client.until(() => pingsOf(client) === 10 * IDLE_MS / PING_MS, "it is pinged all the same");
  assertEquals(client.closed, null);
  stage.sink.release();
  await filled;
  await stage.until(() => stage.sink.stored.length === MESSAGES + 1, "all are stored");
  await answerPings(clock, client, IDLE_MS - 1);
  assertEquals(client.closed, null);
  clock.advance(1 + LATE_MS);
  assertEquals(await client.closeCode(), 1001);
});

Deno.test("SocketWatch closes no client of weir.v1 that waits for acks, and counts from the ack", async () => {
  const { clock, stage } = await start({ listen: { pingMs: PING_MS, idleTimeoutMs: IDLE_MS } });
  await using _ = stage;
  stage.sink.hold();
  const client = await stage.connect({ protocol: "weir.v1" });
  for (const message of ["one", "two"]) await client.send(message);
  await isRead(client);
  await answerPings(clock, client, 10 * IDLE_MS);
  assertEquals(client.closed, null);
  stage.sink.release();
  await stage.until(() => stage.sink.stored.length === 2, "both are stored");
  await answerPings(clock, client, IDLE_MS - 1);
  assert(client.told.some(({ ack }) => ack === 2));
  assertEquals(client.closed, null);
  clock.advance(1 + TELL_MS + LATE_MS);
  assertEquals(await client.closeCode(), 1001);
});

Deno.test("SocketWatch closes no client of weir.v1 that has no credit, and counts from when it is told some", async () => {
  const { clock, stage, filled } = await startFull();
  await using _ = stage;
  const client = await stage.connect({ protocol: "weir.v1" });
  await client.until(() => client.told.length === 1, "hello");
  assertEquals(client.told[0].credit, 0);
  await answerPings(clock, client, 10 * IDLE_MS);
  assertEquals([client.closed, client.told.length], [null, 1]);
  stage.sink.release();
  await filled;
  await stage.until(() => stage.sink.stored.length === MESSAGES, "all are stored");
  await answerPings(clock, client, IDLE_MS - 1);
  assertEquals([client.closed, client.told.length], [null, 2]);
  clock.advance(1 + TELL_MS + LATE_MS);
  assertEquals(await client.closeCode(), 1001);
});

Deno.test("WebSocketIngress cuts a client that does not close a connection that was closed, a second later", async () => {
  const { clock, stage } = await start({ stream: { validate: "json" } });
  await using _ = stage;
  const [mute, polite, other] = [await stage.connect(), await stage.connect(), await stage.connect()];
  for (const client of [mute, polite]) {
    await client.send("{");
    assertEquals(await client.closeCode(), 1008);
  }
  await polite.sendClose(1008);
  await stage.until(() => stage.gateway.sockets.connections === 2, "who closes is gone at once");
  clock.advance(CLOSE_MS - 1);
  for (let turns = 0; turns < 10; turns++) await isRead(other);
  assertEquals([mute.ended, stage.gateway.sockets.connections], [false, 2]);
  clock.advance(1);
  await mute.until(() => mute.ended, "it is cut");
});
