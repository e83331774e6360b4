/**
 * A program: gateways that take a port over from each other, while clients open a connection for each request. It prints
 * how many requests were answered 200 and how the others ended, as JSON. A program, as the kernel setting that matters
 * here is of a network namespace, and a process belongs to one.
 *
 * @module
 */
import { GatewayProcess } from "../support/gateway_process.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/ports.ts";

const HAND_OVERS = 3;
const CLIENTS = 20;
const EXIT_DEADLINE_MS = 30_000;

const port = freePort();
const start = () =>
  GatewayProcess.start({
    listen: { port, reusePort: true },
    streams: { s: { sinks: ["memory"] } },
    sinks: { memory: { type: "memory" } },
  });

let gateway = await start();
let goesOn = true;
let stored = 0;
const failures: string[] = [];
const clients = Array.from({ length: CLIENTS }, async () => {
  while (goesOn) {
    try {
      using connection = await HttpConnection.open(port);
      const { status } = await connection.request(
        { path: "/v1/streams/s", headers: { Connection: "close" } },
        "1",
      );
      if (status === 200) stored++;
      else failures.push(String(status));
    } catch (error) {
      failures.push(String(error));
    }
  }
});
for (let k = 0; k < HAND_OVERS; k++) {
  const next = await start();
  await gateway.stop(EXIT_DEADLINE_MS);
  await gateway[Symbol.asyncDispose]();
  gateway = next;
}
goesOn = false;
await Promise.all(clients);
await gateway[Symbol.asyncDispose]();
console.log(JSON.stringify({ stored, failures }));
