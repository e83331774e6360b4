/** `ws` alone: counts messages, and tells how many on any GET. `deno run -A sockets.ts PORT`. @module */
import { createServer } from "node:http";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";

let messages = 0;
const server = createServer((_, res) => res.end(JSON.stringify({ messages })));
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  socket.on("message", () => messages++);
});
server.listen(Number(Deno.args[0]), "127.0.0.1");
