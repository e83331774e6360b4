/** A plain WebSocket: messages are records, and what cannot be taken holds the client back. @module */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Opcode, UpgradeRefused } from "../support/socket_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

Deno.test("WebSocketConnection takes text and binary messages as records, in order", async () => {
  await using stage = await SocketGateway.start();
  const client = await stage.connect();
  for (let i = 0; i < 500; i++) {
    await client.send(`message ${i}`, { opcode: i % 2 === 0 ? Opcode.TEXT : Opcode.BINARY });
  }
  await stage.until(() => stage.sink.stored.length === 500, "500 stored");
  assertEquals(stage.sink.stored, Array.from({ length: 500 }, (_, i) => `message ${i}`));
});

Deno.test("WebSocketConnection joins fragments, and answers pings between them", async () => {
  await using stage = await SocketGateway.start();
  const client = await stage.connect();
  await client.send("one ", { fin: false });
  await client.send("are you there", { opcode: Opcode.PING });
  await client.send("record", { opcode: Opcode.CONTINUATION });
  await client.until(() => client.frames.length === 1, "a pong");
  assertEquals(new TextDecoder().decode(client.frames[0].payload), "are you there");
  await stage.until(() => stage.sink.stored.length === 1, "stored");
  assertEquals(stage.sink.stored, ["one record"]);
});

Deno.test("WebSocketIngress refuses before the upgrade, as HTTP", async (t) => {
  await using stage = await SocketGateway.start({ stream: { origins: ["https://app.example"] } });
  const refusal = async (path: string, headers: Record<string, string> = {}) =>
    await assertRejects(() => stage.connect({ path, headers }), UpgradeRefused);
  await t.step("404 where there is no stream", async () => {
    for (const path of ["/v1/streams/other", "/v1/streams/__proto__", "/", "/v1/streams/"]) {
      const { status, answer } = await refusal(path);
      assertEquals(status, 404, path);
      assertStringIncludes(answer, "application/problem+json");
    }
  });
  await t.step("403 for a page of another origin", async () => {
    const { status, answer } = await refusal("/v1/streams/s", { Origin: "https://evil.example" });
    assertEquals(status, 403);
    assertStringIncludes(answer, "application/problem+json");
    assertStringIncludes(answer, "streams.s.origins");
  });
  await t.step("400 for a key of the handshake that is none", async () => {
    assertEquals((await refusal("/v1/streams/s", { "Sec-WebSocket-Version": "12" })).status, 400);
  });
  await t.step("not for a listed origin, nor for this host", async () => {
    await stage.connect({ headers: { Origin: "https://APP.example" } });
    await stage.connect({ headers: { Origin: `http://127.0.0.1:${stage.gateway.port}` } });
  });
});

Deno.test("WebSocketIngress leaves other upgrades to HTTP", async () => {
  await using stage = await SocketGateway.start();
  const client = await Deno.connect({ hostname: "127.0.0.1", port: stage.gateway.port });
  await client.write(new TextEncoder().encode(
    "POST /v1/streams/s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\none",
  ));
  const answer = new Uint8Array(1000);
  const read = await client.read(answer) ?? 0;
  client.close();
  assertStringIncludes(new TextDecoder().decode(answer.subarray(0, read)), "200 OK");
});

Deno.test("WebSocketConnection closes a plain client with 1008 for a record that is none, with the reason", async () => {
  await using stage = await SocketGateway.start({ stream: { validate: "json" } });
  const client = await stage.connect();
  await client.send('{"good":1}');
  await client.send('{"bad":');
  await client.send('{"never":1}');
  assertEquals(await client.closeCode(), 1008);
  assertStringIncludes(client.closed!.reason, "the body ends inside a value");
  await stage.until(() => stage.sink.stored.length === 1, "the good one stored");
  assertEquals(stage.sink.stored, ['{"good":1}']);
  const empty = await stage.connect();
  await empty.send("");
  assertEquals(await empty.closeCode(), 1008);
});

Deno.test("WebSocketConnection closes with 1009 over maxRecordBytes, also by fragments", async () => {
  await using stage = await SocketGateway.start({ stream: { maxRecordBytes: 1000 } });
  const whole = await stage.connect();
  await whole.send("x".repeat(1000));
  await whole.send("x".repeat(1001));
  assertEquals(await whole.closeCode(), 1009);
  const pieces = await stage.connect();
  await pieces.send("x".repeat(600), { fin: false });
  await pieces.send("x".repeat(600), { opcode: Opcode.CONTINUATION });
  assertEquals(await pieces.closeCode(), 1009);
  const promised = await stage.connect();
  await promised.send("x", { declaredLength: 1_000_000 });
  assertEquals(await promised.closeCode(), 1009);
  await stage.until(() => stage.sink.stored.length === 1, "the one that fits stored");
});

Deno.test("WebSocketConnection stops reading when the stream is full, and loses nothing when it goes on", async () => {
  await using stage = await SocketGateway.start({
    buffers: { segments: 256 },
    stream: { maxSegments: 40 },
    streams: { other: { sinks: ["free"], validate: "none" } },
    sinks: { free: { type: "memory" } },
  });
  stage.sink.hold();
  const client = await stage.connect();
  const messages = 40_000;
  const sending = (async () => {
    for (let i = 0; i < messages; i++) await client.send(`${i} ${"x".repeat(500)}`);
  })();
  const { door, pool } = stage.gateway.streams.get("s")!;
  await stage.until(() => door.pausedSockets === 1, "the socket paused");
  // The other stream goes on, and so do requests to this one by their own rules.
  const other = await stage.connect({ path: "/v1/streams/other" });
  await other.send("free");
  await stage.until(
    () => stage.gateway.streams.get("other")!.partition.acceptedRecords === 1,
    "the other taken",
  );
  assert(pool.lentSegments <= pool.size + pool.maxOverdraft, `${pool.lentSegments} segments lent`);
  stage.sink.release();
  await sending;
  await stage.until(() => stage.sink.stored.length === messages, "all stored");
  for (let i = 0; i < messages; i++) {
    assert(stage.sink.stored[i].startsWith(`${i} `), `record ${i} in its place`);
  }
});

Deno.test("WebSocketConnection takes turns with the other sockets of its stream, and with requests", async () => {
  await using stage = await SocketGateway.start({
    buffers: { segments: 256 },
    stream: { maxSegments: 40, maxWaitMs: 30_000, ack: "memory" },
  });
  stage.sink.hold();
  const clients = await Promise.all(Array.from({ length: 4 }, () => stage.connect()));
  const sending = Promise.all(clients.map(async (client, k) => {
    for (let i = 0; i < 6_000; i++) await client.send(`${k} ${"x".repeat(500)}`);
  }));
  const { door } = stage.gateway.streams.get("s")!;
  await stage.until(() => door.pausedSockets === 4, "all sockets paused");
  const request = fetch(`http://127.0.0.1:${stage.gateway.port}/v1/streams/s`, {
    method: "POST",
    headers: { "Content-Type": "text/plain" },
    body: "a request",
  });
  await stage.until(() => stage.gateway.streams.get("s")!.admission.waiters === 1, "the request waits");
  stage.sink.release();
  assertEquals((await request).status, 202);
  await (await request).body?.cancel();
  await sending;
  await stage.until(() => stage.sink.stored.length === 24_001, "all stored");
  const at = stage.sink.stored.indexOf("a request");
  assert(at < 12_000, `the request was stored as number ${at}, in its turn`);
  const firstHalf = stage.sink.stored.slice(0, 12_000);
  for (let k = 0; k < 4; k++) {
    const share = firstHalf.filter((value) => value.startsWith(`${k} `)).length;
    assert(share > 1_000, `socket ${k} had ${share} of the first 12,000`);
  }
});

Deno.test("WebSocketConnection keeps to the stream's quota by not reading", async () => {
  await using stage = await SocketGateway.start({
    stream: { limit: { recordsPerSecond: 200, burstRecords: 20 } },
  });
  const client = await stage.connect();
  const startMs = performance.now();
  for (let i = 0; i < 100; i++) await client.send(String(i));
  await stage.until(() => stage.sink.stored.length === 100, "all stored");
  const tookMs = performance.now() - startMs;
  assert(tookMs > 350, `80 messages beyond the burst came in ${tookMs} ms, at 200 a second`);
  assertEquals(stage.sink.stored, Array.from({ length: 100 }, (_, i) => String(i)));
});

Deno.test("WebSocketConnection is closed with 1001 when the gateway drains", async () => {
  const stage = await SocketGateway.start();
  const client = await stage.connect();
  await client.send("last");
  await stage.until(() => stage.sink.stored.length === 1, "stored");
  const stopped = stage.gateway.stop();
  assertEquals(await client.closeCode(), 1001);
  await client.sendClose(1001);
  await stopped;
  await client.until(() => client.ended, "ended");
  await Deno.remove(stage.gateway.config.gateway.dataDir, { recursive: true });
});
