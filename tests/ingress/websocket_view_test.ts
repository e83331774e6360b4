/** WebSockets as an operator sees them: what is open, what is not read, and whether every message is accounted for. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SocketGateway } from "./socket_gateway.ts";

async function textOf(stage: SocketGateway, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${stage.gateway.adminPort}${path}`);
  assertEquals(answer.status, 200, path);
  return await answer.text();
}

Deno.test("Gateway tells paused WebSockets in /metrics and in the topology, and its ledger adds up", async () => {
  await using stage = await SocketGateway.start({ buffers: { segments: 256 }, stream: { maxSegments: 40 } });
  stage.sink.hold();
  const [busy, idle] = [await stage.connect(), await stage.connect({ protocol: "weir.v1" })];
  const messages = 10_000;
  const sending = (async () => {
    for (let k = 0; k < messages; k++) await busy.send(`${k} ${"x".repeat(500)}`);
  })();
  const { door } = stage.gateway.streams.get("s")!;
  await stage.until(() => door.pausedSockets === 1, "one is paused");
  const page = await textOf(stage, "/metrics");
  assertStringIncludes(page, 'weir_websocket_open{stream="s"} 2');
  assertStringIncludes(page, 'weir_websocket_paused{stream="s"} 1');
  const [told] = JSON.parse(await textOf(stage, "/api/v1/topology")).streams;
  assertEquals([told.sockets, told.pausedSockets], [2, 1]);
  const full = JSON.parse(await textOf(stage, "/api/v1/ledger"));
  assert(full.balanced && full.rows[0].inFlight > 0, JSON.stringify(full));

  stage.sink.release();
  await sending;
  await idle.send("last");
  await idle.until(() => idle.told.some(({ ack }) => ack === 1), "it is acked");
  await stage.until(() => stage.sink.stored.length === messages + 1, "all are stored");
  assertStringIncludes(await textOf(stage, "/metrics"), 'weir_websocket_paused{stream="s"} 0');
  await stage.until(() => stage.gateway.view.snapshot().ledger[0].inFlight === 0, "all are settled");
  const { balanced, rows: [row] } = JSON.parse(await textOf(stage, "/api/v1/ledger"));
  assertEquals([balanced, row.accepted, row.delivered], [true, messages + 1, messages + 1]);
});
