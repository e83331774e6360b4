/** A bare handler: reads the body, answers 202. `deno run -A accept.ts PORT`. @module */
import { createServer } from "node:http";

createServer((req, res) => {
  req.on("data", () => {});
  req.on("end", () => {
    res.statusCode = 202;
    res.end();
  });
}).listen(Number(Deno.args[0]), "127.0.0.1");
