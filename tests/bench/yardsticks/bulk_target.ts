/** A cluster that takes every bulk at once and stores nothing. `deno run -A bulk_target.ts PORT`. @module */
import { createServer } from "node:http";

createServer((req, res) => {
  req.on("data", () => {});
  req.on("end", () => {
    res.setHeader("content-type", "application/json");
    res.end(`{"errors":false,"items":[]}`);
  });
}).listen(Number(Deno.args[0]), "127.0.0.1");
