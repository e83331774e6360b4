/** Keep-alive connections that nobody uses, on a running gateway whose clock the test moves. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { createGateway } from "../mod.ts";
import { HttpConnection } from "./support/http_client.ts";
import { ManualClock } from "./support/manual_clock.ts";

const RECORD = { path: "/v1/streams/s", headers: { "Content-Type": "application/json" } };

Deno.test("IdleConnections ends a connection that was not used for 75 s, and none that is in use", async () => {
  const clock = new ManualClock();
  const dataDir = await Deno.makeTempDir({ prefix: "weir_idle_" });
  const config = {
    gateway: { dataDir },
    listen: { port: 0 },
    admin: { port: 0 },
    streams: { s: { sinks: ["m"], ack: "memory" } },
    sinks: { m: { type: "memory" } },
  };
  await using gateway = await createGateway(config, { clock });
  await gateway.start();
  const connect = () => HttpConnection.open(gateway.port);
  using used = await connect();
  using left = await connect();
  using unfinished = await connect();
  using app = await connect();
  await unfinished.writeHead({ ...RECORD, headers: { ...RECORD.headers, "Content-Length": 2 } });
  await unfinished.write("1");
  assertEquals((await app.request({ path: "/none", method: "GET" })).status, 404);
  for (const connection of [used, left]) assertEquals((await connection.request(RECORD, "1")).status, 202);
  await clock.run(70_000);
  assertEquals((await used.request(RECORD, "2")).status, 202);
  await clock.run(15_000);
  for (const connection of [left, app]) await assertRejects(() => connection.request(RECORD, "3"));
  assertEquals((await used.request(RECORD, "4")).status, 202);
  await unfinished.write("2");
  assertEquals((await unfinished.readAnswer()).status, 202);
  await clock.run(85_000);
  for (const connection of [used, unfinished]) await assertRejects(() => connection.request(RECORD, "5"));
  await Deno.remove(dataDir, { recursive: true });
});
