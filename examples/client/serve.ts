/**
 * Serves the demo page and the client beside it: `deno run --allow-net=127.0.0.1 --allow-read=. examples/client/serve.ts
 * [PORT]`. A module of a page must come over HTTP, and the gateway serves no files.
 *
 * @module
 */

const DEFAULT_PORT = 8090;

/** What is served: nothing else of the folder. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript"],
  "/rate_chart.js": ["rate_chart.js", "text/javascript"],
  "/weir_client.js": ["weir_client.js", "text/javascript"],
};

/** Answers a request for one of the files. */
export async function serveFile(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (!Object.hasOwn(FILES, pathname)) return new Response("There is no such file\n", { status: 404 });
  const [file, type] = FILES[pathname];
  const body = await Deno.readFile(new URL(file, import.meta.url));
  return new Response(body, { headers: { "Content-Type": type, "Cache-Control": "no-store" } });
}

if (import.meta.main) {
  const port = Number(Deno.args[0] ?? DEFAULT_PORT);
  Deno.serve({
    hostname: "127.0.0.1",
    port,
    onListen: () => console.log(`The page is at http://localhost:${port}/`),
  }, serveFile);
}
