/** @module */
import { assertEquals, assertRejects } from "@std/assert";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { HttpConnection } from "./http_client.ts";

async function serve(
  answer: Parameters<typeof createServer>[1],
): Promise<AsyncDisposable & { port: number }> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

Deno.test("HttpConnection.request() reads answers with a length and chunked ones, on one connection", async () => {
  await using server = await serve((req, res) => {
    let bytes = 0;
    req.on("data", (chunk: Uint8Array) => bytes += chunk.length);
    req.on("end", () => {
      if (req.url === "/length") res.setHeader("Content-Length", 4);
      res.statusCode = 202;
      res.write("é ");
      res.end(String(bytes));
    });
  });
  using connection = await HttpConnection.open(server.port);
  const first = await connection.request({ path: "/length" }, "hi");
  assertEquals([first.status, first.body.slice(0, 2), first.headers.get("content-length")], [202, "é ", "4"]);
  assertEquals((await connection.request({ path: "/chunked" }, new Uint8Array(300_000))).body, "é 300000");
});

Deno.test("HttpConnection.writeChunk() sends a body in pieces", async () => {
  await using server = await serve((req, res) => {
    let text = "";
    req.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
    req.on("end", () => res.end(text));
  });
  using connection = await HttpConnection.open(server.port);
  await connection.writeHead({ path: "/", headers: { "Transfer-Encoding": "chunked" } });
  for (const piece of ["a", "bc", ""]) await connection.writeChunk(piece);
  assertEquals((await connection.readAnswer()).body, "abc");
});

Deno.test("HttpConnection.request() gives the refusal that comes before the body has gone", async () => {
  await using server = await serve((req, res) => {
    res.writeHead(413, { Connection: "close", "Content-Length": 0 });
    res.end();
    req.resume();
  });
  using connection = await HttpConnection.open(server.port);
  assertEquals((await connection.request({ path: "/" }, new Uint8Array(2_000_000))).status, 413);
});

Deno.test("HttpConnection.readAnswer() rejects when the server closes before the end", async () => {
  await using server = await serve((_req, res) => {
    res.writeHead(200, { "Content-Length": 10 });
    res.write("half");
    setTimeout(() => res.destroy(), 0);
  });
  using connection = await HttpConnection.open(server.port);
  await assertRejects(() => connection.request({ path: "/" }), Deno.errors.UnexpectedEof);
});
