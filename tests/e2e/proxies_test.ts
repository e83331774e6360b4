/**
 * The proxies of `examples/deploy` in front of a running gateway, with nothing changed in their configs but the ports:
 * pressure, refusals and WebSockets pass through them as if they were not there.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { answersOk, GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import { type Answer, HttpConnection, isConnectionLoss } from "../support/http_client.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";
import { requires } from "../support/requirements.ts";
import { SocketClient } from "../support/socket_client.ts";

const DEPLOY = new URL("../../examples/deploy/", import.meta.url).pathname;
const STALLED = new URL("./stalled_sink.ts", import.meta.url).pathname;
const DEADLINE_MS = 60_000;
const MIB = 1_048_576;
/** Of the sockets on the way, as the kernel grows them on loopback, and the gateway's pool. */
const MOST_ON_THE_WAY = 32 * MIB;
const OFFERED = 256 * MIB;

/** How a proxy is run: its config with the ports of a test, and its command. */
interface Proxy {
  readonly config: string;
  /** What stands in the config for the proxy's port, and for the gateway's. */
  readonly ports: readonly [string, string];
  readonly command: (path: string, folder: string) => { command: string; args: string[] };
}

const PROXIES = {
  nginx: {
    config: "nginx.conf",
    ports: ["listen 80;", "server 127.0.0.1:8080;"],
    command: (path: string, folder: string) => ({
      command: "nginx",
      args: ["-c", path, "-p", folder, "-e", "stderr", "-g", "daemon off; master_process off;"],
    }),
  },
  haproxy: {
    config: "haproxy.cfg",
    ports: ["bind :80", "127.0.0.1:8080"],
    command: (path: string) => ({ command: "haproxy", args: ["-db", "-f", path] }),
  },
} as const satisfies Record<string, Proxy>;

/** A gateway behind a proxy. */
class Proxied implements AsyncDisposable {
  readonly gateway: GatewayProcess;
  readonly program: Program;
  /** The proxy's port. */
  readonly port: number;

  private constructor(gateway: GatewayProcess, program: Program, port: number) {
    this.gateway = gateway;
    this.program = program;
    this.port = port;
  }

  static async start(name: keyof typeof PROXIES, config: RawConfig): Promise<Proxied> {
    const proxy: Proxy = PROXIES[name];
    const gateway = await GatewayProcess.start(config);
    const port = freePort();
    const places = [port, gateway.port];
    let text = await Deno.readTextFile(DEPLOY + proxy.config);
    for (const [k, place] of proxy.ports.entries()) {
      assert(text.includes(place), `${proxy.config} has ${place}`);
      text = text.replace(place, place.replace(/\d+(?=;?$)/, String(places[k])));
    }
    text = text.replace("pid /run/nginx.pid", `pid ${gateway.folder}/nginx.pid`);
    const path = `${gateway.folder}/${proxy.config}`;
    await Deno.writeTextFile(path, text);
    const { command, args } = proxy.command(path, gateway.folder);
    const program = new Program(command, { args });
    const proxied = new Proxied(gateway, program, port);
    try {
      await program.waitUntil(() => answers(port), DEADLINE_MS, "the proxy passes requests on");
    } catch (error) {
      await proxied[Symbol.asyncDispose]();
      throw error;
    }
    return proxied;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.program.signal("SIGTERM");
    await this.program[Symbol.asyncDispose]();
    await this.gateway[Symbol.asyncDispose]();
  }
}

/** Whether the gateway's own 404 comes through. */
async function answers(port: number): Promise<boolean> {
  try {
    using connection = await HttpConnection.open(port);
    return (await connection.request({ path: "/v1/streams/none" })).status === 404;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused || isConnectionLoss(error)) return false;
    throw error;
  }
}

/** One stream for each try: what came of a try fills its stream for good. */
const BRIEF = ["brief-0", "brief-1", "brief-2", "brief-3"];

const config: RawConfig = {
  gateway: { drainMs: 300 },
  buffers: { segments: 256 },
  streams: {
    stalled: { sinks: ["stalled"], maxStallMs: 60_000, maxBodyBytes: 2 * OFFERED, deliverTimeoutMs: 60_000 },
    ...Object.fromEntries(BRIEF.map((name) => [name, {
      sinks: ["stalled"],
      maxStallMs: 300,
      ack: "memory",
      maxBodyBytes: OFFERED,
      maxSegments: 40,
    }])),
    quota: { sinks: ["memory"], limit: { recordsPerSecond: 1, burstRecords: 1 } },
    open: { sinks: ["memory"] },
  },
  sinks: { stalled: { type: STALLED }, memory: { type: "memory" } },
};

for (const name of ["nginx", "haproxy"] as const) {
  requires(name).test(
    `${name} before a gateway lets pressure, refusals and WebSockets through`,
    async (t) => {
      await using proxied = await Proxied.start(name, config);

      await t.step("a stored record is answered, and the connection goes on", async () => {
        using connection = await HttpConnection.open(proxied.port);
        for (let k = 0; k < 3; k++) {
          const { status, body } = await connection.request({ path: "/v1/streams/open" }, `{"k":${k}}`);
          assertEquals([status, JSON.parse(body).accepted], [200, 1]);
        }
      });

      await t.step("429 arrives with its Retry-After and RateLimit", async () => {
        const answers = [];
        for (let k = 0; k < 4; k++) {
          // One each: nginx ends a connection whose answer came before the last byte of the request.
          using connection = await HttpConnection.open(proxied.port);
          answers.push(await connection.request({ path: "/v1/streams/quota" }, `${k}`));
        }
        assertEquals(answers[0].status, 200);
        const refused = answers.filter(({ status }) => status === 429);
        assert(refused.length > 0);
        for (const { headers, body } of refused) {
          assert(Number(headers.get("retry-after")) >= 1);
          assert(headers.has("ratelimit") && headers.has("ratelimit-policy"));
          assertEquals(headers.get("content-type"), "application/problem+json");
          assertEquals(JSON.parse(body).next, 0);
        }
      });

      await t.step("weir.v1 greets, acks, and goes on in both directions", async () => {
        using client = await SocketClient.connect(proxied.port, "/v1/streams/open", { protocol: "weir.v1" });
        await client.until(() => client.told.some(({ hello }) => hello !== undefined), "greeted");
        for (let k = 1; k <= 3; k++) {
          await client.send(`{"k":${k}}`);
          await client.until(() => client.told.some(({ ack }) => ack === k), `message ${k} acked`);
        }
        await client.sendClose(1000);
        await client.until(() => client.ended, "closed");
      });

      await t.step("a streamed body that stalls too long ends with 429 and next", async () => {
        // HAProxy closes with bytes of the body unread, and then the kernel may drop the answer on its way: once in a
        // while, on a machine that is busy.
        const { status, body } = await answerOfBrief(proxied.port);
        assertEquals(status, 429);
        assert(JSON.parse(body).next > 0);
      });

      await t.step("a stalled sink holds the upload back", async () => {
        using connection = await HttpConnection.open(proxied.port);
        const taken = await offer(connection, "/v1/streams/stalled");
        assert(taken < MOST_ON_THE_WAY, `${(taken / MIB).toFixed(1)} MiB were taken`);
        assertEquals(await answersOk(`${proxied.gateway.adminUrl}/healthz`), true);
      });
    },
  );
}

/** The answer to a body of 64 MiB; asked for again, of the next stream, where the connection is lost before its end. */
async function answerOfBrief(port: number, [name, ...others] = BRIEF): Promise<Answer> {
  using connection = await HttpConnection.open(port);
  const lines = `${"1".repeat(1_000)}\n`.repeat(64 * 1024);
  const head = { path: `/v1/streams/${name}`, headers: { "Content-Type": "text/plain" } };
  try {
    return await connection.request(head, lines);
  } catch (error) {
    if (others.length === 0 || !isConnectionLoss(error)) throw error;
    return await answerOfBrief(port, others);
  }
}

/** Sends lines until nothing is taken for a second, or all are; returns the bytes that the kernel took. */
async function offer(connection: HttpConnection, path: string): Promise<number> {
  const lines = new TextEncoder().encode(`"${"x".repeat(1021)}"\n`.repeat(64));
  await connection.writeHead({
    path,
    headers: { "Content-Type": "application/x-ndjson", "Content-Length": OFFERED },
  });
  let taken = 0;
  const sending = (async () => {
    try {
      for (; taken < OFFERED; taken += lines.length) await connection.write(lines);
    } catch (error) {
      if (!isConnectionLoss(error) && !(error instanceof Deno.errors.Interrupted)) throw error;
    }
  })();
  let before = -1;
  while (taken < OFFERED && before !== taken) {
    before = taken;
    await delay(1_000);
  }
  connection[Symbol.dispose]();
  await sending;
  return taken;
}
