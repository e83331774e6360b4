/** Where WebSockets are let in: not while nothing can be promised, and at servers of somebody's own. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { createServer } from "node:http";
import { createGateway } from "../../mod.ts";
import { HttpConnection } from "../support/http_client.ts";
import { SocketClient, UpgradeRefused } from "../support/socket_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

Deno.test("WebSocketIngress answers 503 with Retry-After while a sink is down that acks wait for, and only then", async () => {
  await using stage = await SocketGateway.start({
    streams: {
      delivered: { sinks: ["broken"] },
      memory: { sinks: ["broken"], ack: "memory" },
      effort: { sinks: ["kept", "broken"], bestEffort: ["broken"] },
    },
    sinks: { broken: { type: "file", path: "/proc/weir/none.ndjson" } },
  });
  await stage.until(() => stage.gateway.sinks.get("broken")!.gate.state === "down", "the sink is down");
  const refusal = await assertRejects(() => stage.connect({ path: "/v1/streams/delivered" }), UpgradeRefused);
  assertEquals(refusal.status, 503);
  assert(/retry-after: [1-9]/i.test(refusal.answer) && refusal.answer.includes("application/problem+json"));
  assert(refusal.answer.includes("broken"), refusal.answer);
  for (const path of ["/v1/streams/memory", "/v1/streams/effort"]) await stage.connect({ path });
});

Deno.test("WebSocketIngress lets go of clients that it refused and that do not close, so that the gateway can stop", async () => {
  await using stage = await SocketGateway.start();
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  const held = new DisposableStack();
  try {
    for (const [head, status] of [["/v1/streams/none HTTP/1.1\r\nHost: a", 404], ["/ HTTP/1.1", 400]]) {
      const connection = held.use(await HttpConnection.open(stage.gateway.port));
      await connection.write(`GET ${head}\r\n${upgrade}`);
      assertEquals((await connection.readAnswer()).status, status);
    }
    await deadline(stage.gateway.stop(), 60_000);
  } finally {
    held.dispose();
  }
});

Deno.test("WebSocketIngress answers 503 while the gateway drains", async () => {
  await using stage = await SocketGateway.start();
  stage.sink.hold();
  const client = await stage.connect({ protocol: "weir.v1" });
  await client.send("1");
  await stage.until(() => stage.gateway.streams.get("s")!.partition.acceptedRecords === 1, "it is taken");
  // A connection that was there before: the port takes no new ones.
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: stage.gateway.port });
  await connection.write(new TextEncoder().encode("GET /v1/streams/s HTTP/1.1\r\nHost: a\r\n"));
  const stopped = stage.gateway.stop();
  await connection.write(new TextEncoder().encode(
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  ));
  const answer = new Uint8Array(4096);
  const read = await connection.read(answer) ?? 0;
  connection.close();
  const text = new TextDecoder().decode(answer.subarray(0, read));
  assert(text.startsWith("HTTP/1.1 503 "), text);
  assert(/retry-after: [1-9]/i.test(text) && text.includes("application/problem+json"), text);
  stage.sink.release();
  await stopped;
});

Deno.test("WeirGateway.attach() takes the upgrades of a server of the caller's own", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "weir_attach_" });
  await using gateway = await createGateway({
    gateway: { dataDir },
    streams: { s: { sinks: ["m"] } },
    sinks: { m: { type: "memory" } },
  });
  await gateway.open();
  const server = createServer((_, response) => response.end());
  gateway.attach(server);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = server.address() as { port: number };
  {
    using client = await SocketClient.connect(port, "/v1/streams/s", { protocol: "weir.v1" });
    await client.send("1");
    await client.until(() => client.told.some(({ ack }) => ack === 1), "it is acked");
    const refusal = await assertRejects(() => SocketClient.connect(port, "/v1/streams/none"), UpgradeRefused);
    assertEquals(refusal.status, 404);
    await client.sendClose(1000);
    assertEquals(await client.closeCode(), 1000);
  }
  server.close();
  await gateway.stop();
  await Deno.remove(dataDir, { recursive: true });
});
