/**
 * The admin port as a web page of somebody else reaches it, byte for byte on a running gateway: through the browser of
 * an operator who has both open, across origins, by a name rebound to this machine, or with heads that name two hosts.
 * Nothing changes, nothing is told to the page, and no answer lets a browser go further.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { type Answer, HttpConnection } from "../support/http_client.ts";
import { latin1, Siege, VERDICT_MS } from "./siege.ts";

const PAUSE = "/api/v1/sinks/archive/pause";
const EVIL = "http://evil.example";

/** What a page makes a browser send, by its request line and headers; `PORT` is the admin port. */
interface Attempt {
  readonly name: string;
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
}

const HOST = { Host: "127.0.0.1:PORT" };
const post = (
  name: string,
  headers: Readonly<Record<string, string>>,
  status = 403,
  target = PAUSE,
): Attempt => ({
  name,
  line: `POST ${target} HTTP/1.1`,
  headers: { "Content-Length": "0", ...headers },
  status,
});

const ATTEMPTS: readonly Attempt[] = [
  post("a form of another origin", { ...HOST, Origin: EVIL, "Content-Type": "text/plain" }),
  post("a sandboxed frame", { ...HOST, Origin: "null" }),
  post("an origin that begins as ours", { ...HOST, Origin: "http://127.0.0.1:PORT.evil.example" }),
  post("an origin that ends as ours", { ...HOST, Origin: "http://evil.example@127.0.0.1:PORT" }),
  post("another port of this machine", { ...HOST, Origin: "http://127.0.0.1:1" }),
  post("another name of this machine", { ...HOST, Origin: "http://localhost:PORT" }),
  post("another scheme", { ...HOST, Origin: "https://127.0.0.1:PORT" }),
  post("a list of origins", { ...HOST, Origin: "http://127.0.0.1:PORT, http://evil.example" }),
  post("an empty origin", { ...HOST, Origin: "" }),
  post("a name rebound to this machine", { Host: "evil.example:PORT", Origin: "http://evil.example:PORT" }),
  post("a rebound name without origin", { Host: "evil.example:PORT" }),
  post("a rebound name with ours in front", { Host: "127.0.0.1.evil.example:PORT" }),
  post("a rebound name that ends in a dot", { Host: "localhost.:PORT" }),
  post("our address with another's user", { Host: "evil.example@127.0.0.1:PORT" }, 400),
  post("our address in another spelling", { Host: "2130706433:PORT" }),
  post("our address without its port", { Host: "127.0.0.1" }),
  post("an empty host", { Host: "" }, 400),
  post(
    "a target that names us, and a Host that does not",
    { Host: "evil.example:PORT" },
    403,
    `http://127.0.0.1:PORT${PAUSE}`,
  ),
  post("a forwarded host", {
    Host: "evil.example",
    "X-Forwarded-Host": "127.0.0.1:PORT",
    Forwarded: "host=127.0.0.1:PORT",
  }),
  {
    name: "reading by a rebound name",
    line: "GET /api/v1/topology HTTP/1.1",
    headers: { Host: "evil.example:PORT" },
    status: 403,
  },
  {
    name: "the page by a rebound name",
    line: "GET / HTTP/1.1",
    headers: { Host: "evil.example:PORT" },
    status: 403,
  },
  { name: "changing by an image", line: `GET ${PAUSE} HTTP/1.1`, headers: HOST, status: 405 },
  {
    name: "changing by an image with a method in a header",
    line: `GET ${PAUSE}?_method=POST HTTP/1.1`,
    headers: { ...HOST, "X-HTTP-Method-Override": "POST" },
    status: 405,
  },
  ...["POST", "PUT"].map((method): Attempt => ({
    name: `a preflight for ${method}`,
    line: `OPTIONS ${PAUSE} HTTP/1.1`,
    headers: {
      ...HOST,
      Origin: EVIL,
      "Access-Control-Request-Method": method,
      "Access-Control-Request-Headers": "authorization",
      "Access-Control-Request-Private-Network": "true",
    },
    status: 405,
  })),
  {
    name: "a preflight for all",
    line: "OPTIONS * HTTP/1.1",
    headers: { ...HOST, Origin: EVIL },
    status: 400,
  },
];

Deno.test("createAdminApi() lets no page of another origin change or read anything, by whatever head", async (t) => {
  await using siege = await Siege.start();
  const { gateway } = siege;
  const ask = async (bytes: string): Promise<Answer> => {
    using connection = await HttpConnection.open(gateway.adminPort);
    await connection.write(latin1(bytes.replaceAll("PORT", String(gateway.adminPort))));
    return await deadline(connection.readAnswer(), VERDICT_MS);
  };
  for (const { name, line, headers, status } of ATTEMPTS) {
    await t.step(name, async () => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const answer = await ask(`${line}\r\n${lines.join("")}\r\n`);
      assertEquals(answer.status, status, answer.body);
      const told = [...answer.headers.keys()].filter((name) => name.startsWith("access-control-"));
      assertEquals(told, [], "headers that let a page go on");
      assert(!answer.body.includes("archive.ndjson") && !answer.body.includes('"streams"'), answer.body);
    });
  }
  await t.step("two origins", async () => {
    const head = `POST ${PAUSE} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 0\r\n`;
    const ours = "Origin: http://127.0.0.1:PORT\r\n";
    for (const origins of [`${ours}Origin: ${EVIL}\r\n`, `Origin: ${EVIL}\r\n${ours}`]) {
      const { status } = await ask(`${head}${origins}\r\n`);
      assert(status === 400 || status === 403, `${origins}: ${status}`);
    }
  });
  await t.step("what a page may embed says that it is none of a page's", async () => {
    const { headers } = await ask(`GET /metrics HTTP/1.1\r\nHost: evil.example\r\nOrigin: ${EVIL}\r\n\r\n`);
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("cross-origin-resource-policy"), "same-origin");
  });
  await t.step("nothing has changed, and our own page may change it", async () => {
    const { sinks } = await gateway.admin("/api/v1/topology") as { sinks: { name: string; state: string }[] };
    assertEquals(sinks.find(({ name }) => name === "archive")!.state, "up");
    const ours = "Host: 127.0.0.1:PORT\r\nOrigin: http://127.0.0.1:PORT\r\nContent-Length: 0\r\n\r\n";
    assertEquals((await ask(`POST ${PAUSE} HTTP/1.1\r\n${ours}`)).status, 200);
    assertEquals((await ask(`POST ${PAUSE.replace("pause", "resume")} HTTP/1.1\r\n${ours}`)).status, 200);
  });
  await siege.end(0);
});
