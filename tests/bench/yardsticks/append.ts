/**
 * A loop that appends a group of bytes to a file and flushes it to disk. `deno run -A append.ts PORT FILE`;
 * `POST /?groupBytes=N&seconds=S` runs it and answers `{"work", "seconds"}`, in bytes.
 *
 * @module
 */
import { createServer } from "node:http";

const [port, path] = Deno.args;

createServer((req, res) => {
  const query = new URL(req.url!, "http://localhost").searchParams;
  const group = new Uint8Array(Number(query.get("groupBytes"))).fill(0x61);
  const file = Deno.openSync(path, { create: true, write: true, truncate: true });
  const startMs = performance.now();
  const endMs = startMs + Number(query.get("seconds")) * 1000;
  let work = 0;
  while (performance.now() < endMs) {
    for (let rest = group; rest.length > 0; rest = rest.subarray(file.writeSync(rest)));
    file.syncDataSync();
    work += group.length;
  }
  file.close();
  res.end(JSON.stringify({ work, seconds: (performance.now() - startMs) / 1000 }));
}).listen(Number(port), "127.0.0.1");
