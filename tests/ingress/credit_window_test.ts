/** The credit of `weir.v1` clients on a running gateway, as the client of the examples meets it. @module */
import { assert, assertEquals } from "@std/assert";
import { WeirClient } from "../../examples/client/weir_client.js";
import { SocketGateway } from "./socket_gateway.ts";

Deno.test("CreditWindow.refill() tells a smaller window where the largest never fits beside segments in use", async () => {
  await using gateway = await SocketGateway.start({ stream: { maxSegments: 32, maxRecordBytes: 65_536 } });
  let leastBytes = Infinity;
  const client = new WeirClient(`ws://127.0.0.1:${gateway.gateway.port}/v1/streams/s`, {
    maxUnackedBytes: 524_288,
    onAck: () => leastBytes = Math.min(leastBytes, client.credit.bytes),
  });
  const record = JSON.stringify("x".repeat(198));
  for (let i = 0; i < 20_000; i++) {
    await client.ready;
    client.send(record);
  }
  assertEquals(await client.close({ signal: AbortSignal.timeout(30_000) }), []);
  // A record goes beyond the credit only when it is alone and none is told for it.
  assert(leastBytes >= 0, `the client went ${-leastBytes} bytes beyond its credit`);
});
