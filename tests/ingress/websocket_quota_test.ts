/**
 * What a stream's quota does to a client of `weir.v1`: within its credit it is read on, as room is kept for what it
 * sends, and only its records wait. On a running gateway whose time the test moves.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { ManualClock } from "../support/manual_clock.ts";
import { frameOf, Opcode, type SocketClient } from "../support/socket_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

const BURST = 2;
/** All of them within the first credit. */
const MESSAGES = Array.from({ length: 10 }, (_, n) => `message ${n}`);
/** What is reckoned for a record beside its bytes. */
const RECORD_BYTES = 64;
/** How late a client may be told what it waits for. */
const TELL_MS = 50;

interface Limited {
  readonly clock: ManualClock;
  readonly stage: SocketGateway;
  readonly client: SocketClient;
}

/** A stream that takes two records and then one a second, and a client of it. */
async function start(listen: object = {}): Promise<Limited> {
  const clock = new ManualClock();
  const stage = await SocketGateway.start({
    clock,
    listen: { ...listen },
    stream: { ack: "memory", limit: { recordsPerSecond: 1, burstRecords: BURST } },
  });
  const client = await stage.connect({ protocol: "weir.v1" });
  await client.until(() => client.texts.length > 0, "told hello");
  return { clock, stage, client };
}

/** Sends `messages` in one go, and resolves when the gateway has read them. */
async function send({ client }: Limited, messages: readonly string[]): Promise<void> {
  await client.write(Uint8Array.from(messages.flatMap((message) => [...frameOf(message)])));
  await isRead(client);
}

/** Resolves when a ping behind all that was sent is answered. */
async function isRead(client: SocketClient): Promise<void> {
  const pongs = () => client.frames.filter(({ opcode }) => opcode === Opcode.PONG).length;
  const before = pongs();
  await client.send("", { opcode: Opcode.PING });
  await client.until(() => pongs() > before, "a pong came");
}

function lastAck({ told }: SocketClient): number {
  return Number(told.findLast(({ ack }) => ack !== undefined)?.ack ?? 0);
}

Deno.test("WebSocketSession reads a client within its credit on while the quota is used up, and takes what it sent in order, when it may", async () => {
  const limited = await start();
  const { clock, stage, client } = limited;
  await using _ = stage;
  const { admission, door } = stage.gateway.streams.get("s")!;
  const toldBytes = admission.creditBytes;
  const cost = (message: string) => message.length + RECORD_BYTES;
  await send(limited, MESSAGES);
  await stage.until(() => stage.sink.stored.length === BURST, "the burst is stored");
  assertEquals(door.pausedSockets, 0);
  const takenBytes = () => toldBytes - admission.creditBytes;
  assertEquals(takenBytes(), cost(MESSAGES[0]) + cost(MESSAGES[1]), "room is kept for all but the burst");
  for (let taken = BURST + 1; taken <= MESSAGES.length; taken++) {
    clock.advance(1000);
    await stage.until(() => stage.sink.stored.length === taken, `${taken} are stored`);
    assertEquals(takenBytes(), MESSAGES.slice(0, taken).reduce((sum, message) => sum + cost(message), 0));
    assertEquals(door.pausedSockets, 0);
  }
  clock.advance(TELL_MS);
  await client.until(() => lastAck(client) === MESSAGES.length, "all are acked");
  assertEquals(stage.sink.stored, MESSAGES);
});

Deno.test("WebSocketSession gives a client no credit while what it sent waits for the quota, and stops reading it beyond", async () => {
  const limited = await start();
  const { clock, stage, client } = limited;
  await using _ = stage;
  const { door } = stage.gateway.streams.get("s")!;
  const credit = Number(client.told[0].credit);
  const all = Array.from({ length: credit }, (_, n) => `${n}`);
  await send(limited, all);
  clock.advance(TELL_MS);
  await isRead(client);
  assertEquals([door.pausedSockets, client.told.filter(({ credit }) => credit !== undefined).length], [0, 1]);
  await client.send("beyond");
  await stage.until(() => door.pausedSockets === 1, "it is paused");
  for (let taken = 0; taken < credit + 1;) {
    clock.advance(1000);
    taken = stage.sink.stored.length;
    await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals(stage.sink.stored, [...all, "beyond"]);
  assertEquals(door.pausedSockets, 0);
  clock.advance(TELL_MS);
  await client.until(
    () => client.told.filter(({ credit }) => credit !== undefined).length > 1,
    "told credit",
  );
});

Deno.test("WebSocketSession lets the close of a client pass while the quota is used up, and keeps nothing for it then", async () => {
  const limited = await start();
  const { stage, client } = limited;
  await using _ = stage;
  await send(limited, MESSAGES);
  await client.sendClose(1000);
  assertEquals(await client.closeCode(), 1000);
  const { admission } = stage.gateway.streams.get("s")!;
  await stage.until(() => admission.creditBytes === 0, "nothing is kept");
  await stage.until(() => stage.sink.stored.length === BURST, "what was taken is stored");
});

Deno.test("SocketWatch takes no client for idle whose message waits for the quota", async () => {
  const idleTimeoutMs = 500;
  const limited = await start({ idleTimeoutMs, pingMs: 0 });
  const { clock, stage, client } = limited;
  await using _ = stage;
  await send(limited, MESSAGES.slice(0, BURST + 1));
  clock.advance(TELL_MS);
  await client.until(() => lastAck(client) === BURST, "the burst is acked");
  clock.advance(idleTimeoutMs + TELL_MS);
  await isRead(client);
  assertEquals(client.closed, null);
  clock.advance(1000 - idleTimeoutMs);
  await stage.until(() => stage.sink.stored.length === BURST + 1, "the last one is stored");
  clock.advance(TELL_MS);
  clock.advance(2 * idleTimeoutMs);
  assertEquals(await client.closeCode(), 1001);
});
