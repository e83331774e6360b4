/** A gateway whose source's broker takes connections and answers nothing, as one that is stopped does. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { GatewayProcess } from "../support/gateway_process.ts";

const EXIT_DEADLINE_MS = 30_000;

Deno.test("a gateway whose source never joined its group stops cleanly: it has nothing to commit", async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket));
  const connected = new Promise<void>((resolve) => server.once("connection", () => resolve()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await using gateway = await GatewayProcess.start({
      gateway: { drainMs: 1000 },
      streams: { events: { sinks: ["out"] } },
      sinks: { out: { type: "memory" } },
      sources: {
        kafka: {
          type: "kafka",
          brokers: [`127.0.0.1:${(server.address() as AddressInfo).port}`],
          topics: ["orders"],
          groupId: "weir",
          stream: "events",
        },
      },
    });
    await connected;
    gateway.program.signal("SIGTERM");
    const { code } = await gateway.program.exit(EXIT_DEADLINE_MS);
    assertEquals(code, 0);
    assertStringIncludes(gateway.program.stderr, "stopped while it was joining its group");
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});
