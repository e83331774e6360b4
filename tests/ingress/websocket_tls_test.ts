/** WebSockets under `listen.tls`: the layer between must neither lose the upgrade nor read on for a socket that waits. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { Certificates } from "../support/certificates.ts";
import { Opcode, type SocketClient } from "../support/socket_client.ts";
import { requires } from "../support/requirements.ts";
import { SocketGateway } from "./socket_gateway.ts";

const MESSAGE_BYTES = 16_384;
/** Far more than the stream's segments, both sockets and TLS hold together. */
const MESSAGES = 4_096;
/** No progress for so long means that the sender is held back. */
const STILL_MS = 500;

interface Stage {
  readonly stage: SocketGateway;
  readonly caCerts: string[];
}

/** Runs `body` with a gateway under a certificate of its own. */
function test(promise: string, body: (stage: Stage) => Promise<void>): void {
  requires("openssl").test(promise, async () => {
    await using files = await Certificates.create();
    await files.authority("ca");
    await files.signed("server", "ca");
    await using stage = await SocketGateway.start({
      listen: { tls: { certFile: files.path("server.pem"), keyFile: files.path("server.key") } },
      buffers: { segments: 256 },
      stream: { maxSegments: 40 },
    });
    await body({ stage, caCerts: [await Deno.readTextFile(files.path("ca.pem"))] });
  });
}

const sumOf = (client: SocketClient, name: "credit" | "creditBytes"): number =>
  client.told.reduce((sum, message) => sum + Number(message[name] ?? 0), 0);

const lastAck = (client: SocketClient): number =>
  Number(client.told.findLast(({ ack }) => ack !== undefined)?.ack ?? 0);

test("WebSocketIngress upgrades under TLS, acks by weir.v1, and closes", async ({ stage, caCerts }) => {
  const client = await stage.connect({ caCerts, protocol: "weir.v1" });
  assertStringIncludes(client.head, "101");
  await client.until(() => client.told.length > 0, "hello");
  await client.send("one");
  await client.until(() => lastAck(client) === 1, "an ack");
  assertEquals(stage.sink.stored, ["one"]);
  await client.send("still there", { opcode: Opcode.PING });
  await client.until(() => client.frames.length === 1, "a pong");
  await client.sendClose(1000);
  assertEquals(await client.closeCode(), 1000);
});

test("WebSocketSession tells no more credit under TLS than there is room, and more when there is", async ({ stage, caCerts }) => {
  stage.sink.hold();
  const client = await stage.connect({ caCerts, protocol: "weir.v1" });
  await client.until(() => client.told.length > 0, "hello");
  const message = "x".repeat(1_000);
  let sent = 0;
  const mayNow = () =>
    Math.min(
      sumOf(client, "credit") - sent,
      Math.floor(sumOf(client, "creditBytes") / message.length) - sent,
    );
  for (let stillMs = 0; stillMs < STILL_MS; stillMs += 10) {
    for (; mayNow() > 0; stillMs = 0) {
      await client.send(message);
      sent++;
    }
    await delay(10);
  }
  const { pool, door } = stage.gateway.streams.get("s")!;
  assert(sent > 8 && sent * message.length < pool.size * pool.segmentBytes, `${sent} were let in`);
  assertEquals([door.pausedSockets, client.closed], [0, null]);
  stage.sink.release();
  await client.until(() => lastAck(client) === sent, "all are acked");
  await client.until(() => mayNow() > 0, "it may send more");
});

test("WebSocketConnection closes the window of a sender that waits, under TLS too, and loses nothing", async ({ stage, caCerts }) => {
  stage.sink.hold();
  const client = await stage.connect({ caCerts });
  let sent = 0;
  const sending = (async () => {
    for (; sent < MESSAGES; sent++) await client.send(String(sent).padEnd(MESSAGE_BYTES));
  })();
  const { door } = stage.gateway.streams.get("s")!;
  await stage.until(() => door.pausedSockets === 1, "it is paused");
  for (let before = -1; before !== sent; await delay(STILL_MS)) before = sent;
  assert(sent < MESSAGES / 2, `${sent} messages were read of a client that must wait`);
  stage.sink.release();
  await sending;
  await stage.until(() => stage.sink.stored.length === MESSAGES, "all are stored");
  assertEquals(stage.sink.stored.findIndex((value, k) => Number(value) !== k), -1, "each in its place");
});
