/** `buffers.partialBytes` on a running gateway: the oldest unfinished message may finish, a silent one gives way. @module */
import { assert, assertEquals } from "@std/assert";
import { Opcode, type SocketClient } from "../support/socket_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

const PARTIAL_BYTES = 65_536;
/** Two of them are more than that. */
const FRAGMENT = "x".repeat(60_000);

function sendFragment(client: SocketClient): Promise<void> {
  return client.send(FRAGMENT, { fin: false });
}

/** Ends the message of {@linkcode sendFragment}. */
function sendEnd(client: SocketClient): Promise<void> {
  return client.send("end", { opcode: Opcode.CONTINUATION });
}

/** Resolves when the gateway has read all that `client` sent. */
async function isRead(client: SocketClient): Promise<void> {
  await client.send("", { opcode: Opcode.PING });
  await client.until(() => client.frames.some(({ opcode }) => opcode === Opcode.PONG), "a pong");
}

for (const protocol of [undefined, "weir.v1"]) {
  const kind = protocol ?? "plain";
  Deno.test(`PartialBudget lets the oldest message finish, and then the others, on a running gateway (${kind})`, async () => {
    await using stage = await SocketGateway.start({
      buffers: { partialBytes: PARTIAL_BYTES },
      stream: { maxStallMs: 60_000 },
    });
    const { door } = stage.gateway.streams.get("s")!;
    const [oldest, other] = [await stage.connect({ protocol }), await stage.connect({ protocol })];
    await sendFragment(oldest);
    await isRead(oldest);
    await sendFragment(other);
    await stage.until(() => door.pausedSockets === 1, "the other is not read");
    await sendEnd(other);
    assertEquals(stage.sink.stored.length, 0);
    await sendEnd(oldest);
    await stage.until(() => stage.sink.stored.length === 2, "both are stored");
    assertEquals(door.pausedSockets, 0);
  });
}

Deno.test("PartialBudget closes with 1013 who is silent inside a message while others wait, and nobody else", async () => {
  await using stage = await SocketGateway.start({
    buffers: { partialBytes: PARTIAL_BYTES },
    stream: { maxStallMs: 500 },
  });
  const [silent, other] = [await stage.connect(), await stage.connect()];
  await sendFragment(silent);
  await isRead(silent);
  await sendFragment(other);
  assertEquals(await silent.closeCode(), 1013);
  assert(silent.closed!.reason.includes("partialBytes"), silent.closed!.reason);
  await sendEnd(other);
  await stage.until(() => stage.sink.stored.length === 1, "the other is stored");
  assertEquals(other.closed, null);
});
