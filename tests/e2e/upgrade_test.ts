/**
 * One gateway takes over from another on the same port, while clients go on: none of them sees a request fail, and what
 * either has answered 200 is in its file.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { GatewayProcess } from "../support/gateway_process.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";
import { requires } from "../support/requirements.ts";
import { SocketClient } from "../support/socket_client.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PATH = "/v1/streams/s";
const EXIT_DEADLINE_MS = 30_000;
const CLIENTS = 60;

const sharing = (port: number, ack = "delivered") => ({
  listen: { port, reusePort: true },
  streams: { s: { sinks: ["file"], ack } },
  sinks: { file: { type: "file", path: "out.ndjson" } },
});

async function linesOf(gateway: GatewayProcess): Promise<string[]> {
  return (await Deno.readTextFile(`${gateway.folder}/out.ndjson`)).split("\n").filter((line) => line !== "");
}

/** Keep-alive clients that send one record after the other, each by the connection that it has for as long as it may. */
class Clients {
  /** Records that were answered 200. */
  readonly stored: string[] = [];
  /** What a client must not see. */
  readonly failures: string[] = [];
  /** Connections that they were told to leave, by `Connection: close`. */
  left = 0;
  readonly #port: number;
  readonly #done: Promise<void>[];
  #goesOn = true;

  constructor(port: number, count: number) {
    this.#port = port;
    this.#done = Array.from({ length: count }, (_, k) => this.#run(k));
  }

  /** Resolves when all have had their last answer. */
  async end(): Promise<void> {
    this.#goesOn = false;
    await Promise.all(this.#done);
  }

  async #run(k: number): Promise<void> {
    for (let n = 0; this.#goesOn;) {
      using connection = await HttpConnection.open(this.#port);
      for (let isOpen = true; isOpen && this.#goesOn; n++) {
        const record = `"${k}-${n}"`;
        try {
          const answer = await connection.request({ path: PATH }, record);
          if (answer.status === 200) this.stored.push(record);
          else this.failures.push(`${answer.status} ${answer.body}`);
          isOpen = answer.headers.get("connection") !== "close";
        } catch (error) {
          this.failures.push(String(error));
          isOpen = false;
        }
        if (!isOpen) this.left++;
        await delay(5);
      }
    }
  }
}

Deno.test("Gateway with listen.reusePort hands its port over: no request fails, and nothing acknowledged is lost", async () => {
  const port = freePort();
  await using old = await GatewayProcess.start(sharing(port));
  const clients = new Clients(port, CLIENTS);
  await old.program.waitUntil(() => clients.stored.length > 5 * CLIENTS, EXIT_DEADLINE_MS, "they send");
  await using fresh = await GatewayProcess.start(sharing(port));
  assertEquals(await old.stop(EXIT_DEADLINE_MS), 0);
  const atExchange = clients.stored.length;
  await fresh.program.waitUntil(
    () => clients.stored.length > atExchange + 5 * CLIENTS,
    EXIT_DEADLINE_MS,
    "they send on",
  );
  await clients.end();
  assertEquals(clients.failures, []);
  assert(
    clients.left > 0 && clients.left <= CLIENTS,
    `${clients.left} connections changed, at most once each`,
  );
  assertEquals(await fresh.stop(EXIT_DEADLINE_MS), 0);
  const [before, after] = [await linesOf(old), await linesOf(fresh)];
  assert(before.length > 0 && after.length > 0);
  assertEquals([...before, ...after].sort(), clients.stored.sort());
});

Deno.test("Gateway with listen.reusePort serves the connections that it has until their next answer, and takes no others", async () => {
  const port = freePort();
  await using old = await GatewayProcess.start(sharing(port));
  using connection = await HttpConnection.open(port);
  assertEquals((await connection.request({ path: PATH }, `"1"`)).headers.get("connection"), "keep-alive");
  await using fresh = await GatewayProcess.start(sharing(port));
  old.program.signal("SIGTERM");
  await old.program.waitUntil(async () => await readyStatus(old) === 503, EXIT_DEADLINE_MS, "it drains");
  for (let k = 0; k < 32; k++) {
    using other = await HttpConnection.open(port);
    assertEquals((await other.request({ path: PATH }, `"other"`)).status, 200);
  }
  const last = await connection.request({ path: PATH }, `"2"`);
  assertEquals([last.status, last.headers.get("connection")], [200, "close"]);
  await connection.readEnd();
  assertEquals((await old.program.exit(EXIT_DEADLINE_MS)).code, 0);
  assertEquals(await linesOf(old), [`"1"`, `"2"`]);
  assertEquals((await linesOf(fresh)).length, 32);
});

Deno.test("Gateway with listen.reusePort has what it acked to its WebSockets, and they connect to the other one", async () => {
  const port = freePort();
  await using old = await GatewayProcess.start({ ...sharing(port), gateway: { drainMs: 1_000 } });
  using client = await SocketClient.connect(port, PATH, { protocol: "weir.v1" });
  await using fresh = await GatewayProcess.start(sharing(port));
  const sent = Array.from({ length: 20 }, (_, k) => `"${k}"`);
  for (const record of sent) await client.send(record);
  old.program.signal("SIGTERM");
  await client.until(() => client.closed !== null, "it is told to go", EXIT_DEADLINE_MS);
  assertEquals(client.closed!.code, 1001);
  assertEquals((await old.program.exit(EXIT_DEADLINE_MS)).code, 0);
  // What it had not read when it was told to stop, it does not ack: the client sends that again.
  const acked = Number(client.told.findLast(({ ack }) => ack !== undefined)?.ack ?? 0);
  assertEquals((await linesOf(old)).slice(0, acked), sent.slice(0, acked));
  using again = await SocketClient.connect(port, PATH, { protocol: "weir.v1" });
  await again.send(`"20"`);
  await again.until(() => again.told.some(({ ack }) => ack === 1), "the other one acks");
  assertEquals(await linesOf(fresh), [`"20"`]);
});

requires("ip", "sysctl", "networkNamespace").test(
  "sysctl.conf keeps connections that wait to be accepted from being reset in a hand-over",
  async () => {
    const settings = (await Deno.readTextFile(`${ROOT}examples/deploy/sysctl.conf`)).split("\n")
      .filter((line) => /^[a-z]/.test(line)).map((line) => `sysctl -qw '${line.replaceAll(" ", "")}'`);
    const clients = `${Deno.execPath()} run -A ${ROOT}tests/e2e/one_shot_clients.ts`;
    await using program = new Program("unshare", {
      args: ["--net", "sh", "-ec", ["ip link set lo up", ...settings, `exec ${clients}`].join("\n")],
    });
    assertEquals((await program.exit(180_000)).code, 0, program.describe("it ended cleanly"));
    const { stored, failures } = JSON.parse(program.stdout);
    assert(stored > 100);
    assertEquals(failures, []);
  },
);

Deno.test("Gateway with listen.reusePort ends although a connection stays idle", async () => {
  const port = freePort();
  await using gateway = await GatewayProcess.start({ ...sharing(port), gateway: { drainMs: 600 } });
  using connection = await HttpConnection.open(port);
  assertEquals((await connection.request({ path: PATH }, `"1"`)).status, 200);
  gateway.program.signal("SIGTERM");
  await connection.readEnd();
  assertEquals((await gateway.program.exit(EXIT_DEADLINE_MS)).code, 0);
});

Deno.test("Gateway without listen.reusePort shares its port with nobody, and says why", async () => {
  const port = freePort();
  await using _old = await GatewayProcess.start({ ...sharing(port), listen: { port } });
  await using fresh = await GatewayProcess.start(sharing(port), { waitReady: false });
  assertEquals((await fresh.program.exit(EXIT_DEADLINE_MS)).code, 1);
  assertStringIncludes(fresh.program.stdout + fresh.program.stderr, "without listen.reusePort");
});

async function readyStatus(gateway: GatewayProcess): Promise<number> {
  const response = await fetch(`${gateway.adminUrl}/readyz`);
  await response.body?.cancel();
  return response.status;
}
