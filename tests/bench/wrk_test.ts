/** @module */
import { assertEquals } from "@std/assert";
import { createServer } from "node:http";
import { requires } from "../support/requirements.ts";
import { freePort } from "../support/ports.ts";
import { jsonLines, jsonRecord } from "./bodies.ts";
import { luaString, WrkLoad } from "./wrk.ts";

Deno.test("luaString() closes no bracket that the text holds", () => {
  assertEquals(luaString("a]]b"), "[=[\na]]b]=]");
  assertEquals(luaString('["x"]'), '[=[\n["x"]]=]');
  assertEquals(luaString("a]=]]"), "[==[\na]=]]]==]");
});

Deno.test("jsonRecord() and jsonLines() give exact sizes", () => {
  assertEquals(jsonRecord(1024).length, 1024);
  assertEquals(JSON.parse(jsonRecord(200, 7)).user.id, "user-7");
  assertEquals(jsonLines(100, 200).length, 100 * 201);
});

requires("wrk").test(
  "WrkLoad.run() sends the requests by turns, byte for byte, and counts refusals",
  async () => {
    const seen = new Map<string, string>();
    const server = createServer((req, res) => {
      let body = "";
      req.on("data", (chunk: Uint8Array) => body += new TextDecoder().decode(chunk));
      req.on("end", () => {
        seen.set(req.url!, `${req.headers["content-type"]} ${body}`);
        res.statusCode = req.url === "/b" ? 429 : 202;
        res.end();
      });
    });
    const port = freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    await using load = await WrkLoad.create({
      connections: 2,
      requests: [
        { path: "/a", contentType: "application/json", body: '\n["]]"]' },
        { path: "/b", contentType: "text/plain", body: "b" },
      ],
    });
    const summary = await load.run(`http://127.0.0.1:${port}`, 1);
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    assertEquals(seen, new Map([["/a", 'application/json \n["]]"]'], ["/b", "text/plain b"]]));
    assertEquals(summary.failures, 0);
    assertEquals(Math.abs(summary.refusals * 2 - summary.answers) <= 2, true, JSON.stringify(summary));
  },
);
