/** The client and a running gateway: what each says, the other understands. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { WeirClient } from "../../examples/client/weir_client.js";
import { GatewayProcess } from "../support/gateway_process.ts";
import { freePort } from "../support/ports.ts";
import { SocketGateway } from "../ingress/socket_gateway.ts";

function urlOf(gateway: SocketGateway, query = ""): string {
  return `ws://127.0.0.1:${gateway.gateway.port}/v1/streams/s${query}`;
}

/** Long enough for a gateway that starts meanwhile. */
const settled = () => ({ signal: AbortSignal.timeout(60_000) });

Deno.test("WeirClient.onReject tells what the gateway does not take, and the others are stored in order", async () => {
  await using gateway = await SocketGateway.start({ stream: { validate: "json" } });
  const rejects: string[] = [];
  const acks: number[] = [];
  const client = new WeirClient(urlOf(gateway), {
    onAck: (number) => acks.push(number),
    onReject: (number, reason) => rejects.push(`${number}: ${reason}`),
  });
  for (const record of ["1", "oops", "", "[2]"]) client.send(record);
  assertEquals(await client.close(settled()), []);
  assertEquals(gateway.sink.stored, ["1", "[2]"]);
  assertEquals(rejects.map((reject) => reject.split(":")[0]), ["2", "3"]);
  assertStringIncludes(rejects[0], "0x6f");
  assertEquals(acks.at(-1), 4);
});

Deno.test("WeirClient goes on after messages over maxRecordBytes, which are rejected one by one", async () => {
  await using gateway = await SocketGateway.start({ stream: { maxRecordBytes: 1024 } });
  const rejects: number[] = [];
  const client = new WeirClient(urlOf(gateway), {
    minBackoffMs: 5,
    onReject: (number, _reason, record) => rejects.push(number, record.length),
  });
  for (const record of ["a", "b".repeat(1025), "c", "d".repeat(300_000), "e"]) client.send(record);
  assertEquals(await client.close(settled()), []);
  assertEquals(rejects, [2, 1025, 4, 300_000]);
  assertEquals([...new Set(gateway.sink.stored)], ["a", "c", "e"]);
});

Deno.test("WeirClient.send() sends records larger than the first credit, of all sizes, in order", async () => {
  await using gateway = await SocketGateway.start();
  const client = new WeirClient(urlOf(gateway, "?key=k"), { maxUnackedBytes: 400_000 });
  const lengths = Array.from({ length: 60 }, (_, i) => 1 + (i * i * 97) % 200_000);
  for (const length of lengths) {
    await client.ready;
    client.send("x".repeat(length));
  }
  assertEquals(await client.close(settled()), []);
  assertEquals(gateway.sink.stored.map((value) => value.length), lengths);
});

Deno.test("WeirClient over a gateway that is stopped and started again: 1001, and nothing twice", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weir_client_" });
  const config = {
    listen: { port: freePort() },
    streams: { s: { sinks: ["file"] } },
    sinks: { file: { type: "file", path: `${folder}/out.ndjson` } },
  };
  const whys: string[] = [];
  const acked = Promise.withResolvers<void>();
  const client = new WeirClient(`ws://127.0.0.1:${config.listen.port}/v1/streams/s`, {
    minBackoffMs: 20,
    maxBackoffMs: 200,
    onAck: (number) => number === 100 && acked.resolve(),
    onState: (state, why) => state === "waiting" && whys.push(why),
  });
  try {
    {
      await using gateway = await GatewayProcess.start(config, { folder });
      for (let n = 0; n < 100; n++) client.send(String(n));
      await acked.promise;
      assertEquals(await gateway.stop(), 0);
    }
    for (let n = 100; n < 200; n++) client.send(String(n));
    await using _gateway = await GatewayProcess.start(config, { folder });
    assertEquals(await client.close(settled()), []);
    const drained = whys.filter((why) => why.includes("1001"));
    assertEquals(drained, ["closed with 1001 the gateway goes away; connect again"]);
    const stored = (await Deno.readTextFile(`${folder}/out.ndjson`)).trimEnd().split("\n").map(Number);
    assertEquals(stored, Array.from({ length: 200 }, (_, n) => n));
  } finally {
    await client.close({ signal: AbortSignal.abort() });
    await Deno.remove(folder, { recursive: true });
  }
});
