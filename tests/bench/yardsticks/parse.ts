/** A bare handler that splits the body into lines and parses each as JSON. `deno run -A parse.ts PORT`. @module */
import { Buffer } from "node:buffer";
import { createServer } from "node:http";

let records = 0;

createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => {
    for (const line of Buffer.concat(chunks).toString().split("\n")) {
      if (line === "") continue;
      JSON.parse(line);
      records++;
    }
    res.statusCode = 202;
    res.end();
  });
}).listen(Number(Deno.args[0]), "127.0.0.1");

Deno.addSignalListener("SIGTERM", () => {
  console.log(records);
  Deno.exit(0);
});
