/**
 * WebSockets over a reload: those of streams that did not change are not touched, those of the others are told their
 * last ack and closed with 1001, and come back to the new stream.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { ReloadStage } from "./support/reload_stage.ts";
import { SocketClient } from "./support/socket_client.ts";

const sink = { type: "switch" };
const V1 = { protocol: "weir.v1" };

Deno.test("Gateway.reload() closes idle WebSockets of streams that changed or are gone with 1001, and leaves the others open", async () => {
  const sinks = { out: sink };
  await using stage = await ReloadStage.start({
    streams: { kept: { sinks: ["out"] }, changed: { sinks: ["out"] }, gone: { sinks: ["out"] } },
    sinks,
  });
  const { port } = stage.gateway;
  using kept = await SocketClient.connect(port, "/v1/streams/kept");
  using changed = await SocketClient.connect(port, "/v1/streams/changed");
  using gone = await SocketClient.connect(port, "/v1/streams/gone", V1);
  await stage.reload({
    streams: { kept: { sinks: ["out"] }, changed: { sinks: ["out"], maxWaitMs: 5 } },
    sinks,
  });
  assertEquals([await changed.closeCode(), await gone.closeCode()], [1001, 1001]);
  await kept.send("1");
  using again = await SocketClient.connect(port, "/v1/streams/changed");
  await again.send("2");
  await stage.until(() => stage.sinks.stored("out").length === 2, "both are stored");
  assertEquals([kept.closed, again.closed], [null, null]);
  stage.assertSound();
});

Deno.test("Gateway.reload() closes a weir.v1 session of a changed stream after the ack of what it has sent", async () => {
  const config = (maxWaitMs: number) => ({
    streams: { s: { sinks: ["out"], maxWaitMs } },
    sinks: { out: sink },
  });
  await using stage = await ReloadStage.start(config(10));
  stage.sinks.stall("out");
  using client = await SocketClient.connect(stage.gateway.port, "/v1/streams/s", V1);
  await client.until(() => client.texts.length > 0, "told hello");
  for (let k = 1; k <= 3; k++) await client.send(`${k}`);
  const taken = () => stage.gateway.view.snapshot().ledger[0].accepted;
  await stage.until(() => taken() === 3, "all are taken");
  await stage.reload(config(20));
  assertEquals(client.closed, null);
  stage.sinks.release("out");
  await stage.until(() => client.closed !== null, "closed");
  assertEquals([client.closed?.code, client.told.findLast(({ ack }) => ack)?.ack], [1001, 3]);
  assertEquals(stage.sinks.stored("out"), ["1", "2", "3"]);
  stage.assertSound();
});

Deno.test("Gateway.reload() closes WebSockets that wait for room when the drain time of their stream is over", async () => {
  const config = (maxWaitMs: number) => ({
    gateway: { drainMs: 1_000 },
    buffers: { segments: 64 },
    streams: { s: { sinks: ["out"], maxWaitMs, ack: "memory", maxRecordBytes: 65_536 } },
    sinks: { out: sink },
  });
  await using stage = await ReloadStage.start(config(10));
  stage.sinks.stall("out");
  using client = await SocketClient.connect(stage.gateway.port, "/v1/streams/s");
  const door = stage.gateway.streams.get("s")!.door;
  const message = JSON.stringify("x".repeat(60_000));
  const sending = (async () => {
    while (!client.ended && client.closed === null) await client.send(message);
  })().catch(() => {}); // the gateway closes in the middle of a message
  await stage.until(() => door.pausedSockets === 1, "it waits for room");
  await stage.reload(config(20));
  await stage.until(
    () => stage.log.lines.some(({ message }) => message === "stream drains"),
    "the stream drains",
  );
  stage.clock.advance(1_000);
  await client.until(() => client.closed !== null || client.ended, "closed");
  assertEquals(client.closed?.code, 1001);
  stage.sinks.release("out");
  await sending;
  await stage.until(() => stage.messages().includes("stream has drained"), "it has drained");
  stage.assertSound();
});
