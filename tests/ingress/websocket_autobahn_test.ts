/** The Autobahn suite on a running gateway: every case by its id, or the reason why it is left out. @module */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { isConnectionLoss } from "../support/http_client.ts";
import { frameOf, Opcode, type SocketClient } from "../support/socket_client.ts";
import { AUTOBAHN, type AutobahnCase, LEFT_OUT } from "./autobahn_cases.ts";
import { SocketGateway } from "./socket_gateway.ts";

/** What the suite has beside its cases of compression. */
const SUITE_CASES = 301;
/** Its longest message. */
const MAX_RECORD_BYTES = 16_777_216;

const textOf = (payload: Uint8Array | string): string =>
  typeof payload === "string" ? payload : new TextDecoder().decode(payload);

/** The bytes of a case as they are written. */
function writesOf({ frames, chop }: AutobahnCase): Uint8Array<ArrayBuffer>[] {
  const bytes = frames().map(([payload, options]) => frameOf(payload, options));
  if (chop === "frames") return bytes;
  const whole = new Uint8Array(Buffer.concat(bytes));
  const size = chop ?? Math.max(1, whole.length);
  return Array.from(
    { length: Math.ceil(whole.length / size) },
    (_, k) => whole.subarray(k * size, (k + 1) * size),
  );
}

async function write(client: SocketClient, tried: AutobahnCase): Promise<void> {
  try {
    for (const bytes of writesOf(tried)) await client.write(bytes);
    if ((tried.code ?? 1000) === 1000 && client.closed === null) await client.sendClose(1000);
  } catch (error) {
    // Behind a close, or what the gateway closes for, the connection may be gone.
    if (!(error instanceof Deno.errors.BadResource) && !isConnectionLoss(error)) throw error;
  }
}

Deno.test("WebSocketIngress passes the Autobahn suite", async (t) => {
  await using stage = await SocketGateway.start({ stream: { maxRecordBytes: MAX_RECORD_BYTES } });
  const { stored } = stage.sink;
  const { partition } = stage.gateway.streams.get("s")!;
  for (const tried of AUTOBAHN) {
    const { id, records = [], pongs = [], code = 1000 } = tried;
    await t.step(id, async () => {
      const before = partition.acceptedRecords;
      stored.length = 0;
      using client = await stage.connect();
      await write(client, tried);
      assertEquals(await client.closeCode(), code);
      const answers = client.frames.filter(({ opcode }) => opcode === Opcode.PONG);
      assertEquals(
        answers.map(({ payload }) => Buffer.from(payload)),
        pongs.map((each) => Buffer.from(each)),
      );
      await stage.until(() => stored.length >= records.length, "what is whole is stored");
      assertEquals(partition.acceptedRecords - before, records.length);
      assertEquals(stored.map((value, k) => value === textOf(records[k])), records.map(() => true));
    });
  }
});

Deno.test("AUTOBAHN and LEFT_OUT are all cases of the suite", () => {
  const ids = [...AUTOBAHN.map(({ id }) => id), ...Object.keys(LEFT_OUT)];
  assertEquals([ids.length, new Set(ids).size], [SUITE_CASES, SUITE_CASES]);
});
