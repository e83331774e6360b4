/**
 * SIGHUP as an operator sends it: to a process under load, several times, with a wrong file, while it starts and while it
 * stops.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import { HttpConnection } from "../support/http_client.ts";

const SLOW_OPEN = new URL("./slow_open_sink.ts", import.meta.url).pathname;
const STALLED = new URL("./stalled_sink.ts", import.meta.url).pathname;
const EXIT_DEADLINE_MS = 60_000;
const DEADLINE_MS = 60_000;
const CLIENTS = 4;
const RELOADS = 12;
/** Taken between two reloads, so that each meets a load. */
const ROUND_RECORDS = 40;

type Section = Readonly<Record<string, unknown>>;

/** Writes the config file again, with the places that the process was started with. */
async function rewrite(gateway: GatewayProcess, config: RawConfig): Promise<void> {
  const before = JSON.parse(await Deno.readTextFile(gateway.configPath)) as Record<string, Section>;
  const kept = Object.fromEntries(
    (["gateway", "listen", "admin"] as const).map((
      name,
    ) => [name, { ...before[name], ...config[name] as Section }]),
  );
  await Deno.writeTextFile(gateway.configPath, JSON.stringify({ ...config, ...kept }));
}

function logLines(gateway: GatewayProcess, message: string): Record<string, unknown>[] {
  // The last is one that is still coming, or nothing.
  return gateway.program.stderr.split("\n").slice(0, -1).filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line.message === message);
}

/** Sends SIGHUP and waits until one more of `message` is in the log. */
async function hangUp(gateway: GatewayProcess, message = "config is reloaded"): Promise<void> {
  const before = logLines(gateway, message).length;
  gateway.program.signal("SIGHUP");
  await gateway.program.waitUntil(() => logLines(gateway, message).length > before, DEADLINE_MS, message);
}

/** Posts numbered lines to `stream` on one connection until `isOver`; gives back what was answered 200. */
async function load(
  gateway: GatewayProcess,
  stream: string,
  name: string,
  isOver: () => boolean,
): Promise<string[]> {
  const acked: string[] = [];
  using connection = await HttpConnection.open(gateway.port);
  for (let k = 0; !isOver(); k++) {
    const lines = [`${name}-${k}-a`, `${name}-${k}-b`].map((id) => JSON.stringify({ id }));
    const answer = await connection.request({
      path: `/v1/streams/${stream}`,
      headers: { "Content-Type": "application/x-ndjson" },
    }, lines.join("\n"));
    assertEquals(answer.status, 200, `${stream}: ${answer.body}`);
    acked.push(...lines);
  }
  return acked;
}

Deno.test("weir run takes its config again on SIGHUP under load: no request fails, and every line is in its file once", async () => {
  // The sink `shared` changes with each reload and goes on with the same file; `steady` never changes.
  const config = (round: number): RawConfig => ({
    streams: {
      steady: { sinks: ["steady"] },
      changed: { sinks: ["shared"], maxWaitMs: 1000 + round % 2 },
      other: { sinks: ["shared", "steady"] },
      ...(round % 3 === 0 ? {} : { [`extra-${round}`]: { sinks: [`extra-${round % 2}`] } }),
    },
    sinks: {
      steady: { type: "file", path: "steady.ndjson" },
      shared: {
        type: "file",
        path: "shared.ndjson",
        timeoutMs: 30_000 + round,
        batch: { maxRecords: 50 + round % 2 },
      },
      "extra-0": { type: "file", path: "extra-0.ndjson" },
      "extra-1": { type: "memory" },
    },
  });
  await using gateway = await GatewayProcess.start(config(0));
  let isOver = false;
  const loads = ["steady", "changed", "other"].map((stream) =>
    Promise.all(
      Array.from({ length: CLIENTS }, (_, k) => load(gateway, stream, `${stream}-${k}`, () => isOver)),
    ).then((acked) => acked.flat())
  );
  const all = Promise.all(loads).catch((error) => {
    isOver = true;
    throw error;
  });
  let accepted = 0;
  for (let round = 1; round <= RELOADS && !isOver; round++) {
    await rewrite(gateway, config(round));
    await hangUp(gateway);
    const now = () => gateway.metric("weir_records_total", { stream: "changed", outcome: "accepted" });
    assert(await now() >= accepted, `accepted went from ${accepted} to ${await now()}`);
    await gateway.program.waitUntil(
      async () => isOver || await now() > accepted + ROUND_RECORDS,
      DEADLINE_MS,
      "the next round's load",
    );
    accepted = await now();
    const ledger = await gateway.admin("/api/v1/ledger") as { balanced: boolean };
    assert(ledger.balanced);
  }
  isOver = true;
  const [steady, changed, other] = await all;
  assertEquals(logLines(gateway, "config is reloaded").length, RELOADS);
  assertEquals(await gateway.stop(EXIT_DEADLINE_MS), 0);
  const linesOf = async (file: string) =>
    (await Deno.readTextFile(`${gateway.folder}/${file}`)).trimEnd().split("\n").sort();
  assertEquals(await linesOf("steady.ndjson"), [...steady, ...other].sort());
  assertEquals(await linesOf("shared.ndjson"), [...changed, ...other].sort());
});

Deno.test("weir run logs every fault of a config that it cannot take, and goes on with the one it has", async () => {
  const good = { streams: { s: { sinks: ["m"] } }, sinks: { m: { type: "memory" } } };
  await using gateway = await GatewayProcess.start(good);
  await rewrite(gateway, {
    streams: { s: { sinks: ["m"], maxWaitMs: -1, ack: "never" } },
    sinks: { m: { type: "memory" } },
  });
  await hangUp(gateway, "config is not reloaded, nothing was changed");
  const [line] = logLines(gateway, "config is not reloaded, nothing was changed");
  const faults = line.faults as string[];
  assertEquals(faults.length, 2);
  assertStringIncludes(faults.join(), "streams.s.maxWaitMs");
  await Deno.writeTextFile(gateway.configPath, "{ not json");
  await hangUp(gateway, "config is not reloaded, nothing was changed");
  await Deno.remove(gateway.configPath);
  await hangUp(gateway, "config is not reloaded, nothing was changed");
  using connection = await HttpConnection.open(gateway.port);
  assertEquals((await connection.request({ path: "/v1/streams/s" }, "1")).status, 200);
  assertEquals(await gateway.stop(EXIT_DEADLINE_MS), 0);
});

Deno.test("weir run takes many SIGHUPs at once as few, and the last file holds", async () => {
  const config = (name: string) => ({
    streams: { [name]: { sinks: ["m"] } },
    sinks: { m: { type: "memory" } },
  });
  await using gateway = await GatewayProcess.start(config("first"));
  for (let k = 0; k < 20; k++) {
    await rewrite(gateway, config(`stream-${k}`));
    gateway.program.signal("SIGHUP");
  }
  await gateway.program.waitUntil(
    async () => {
      const { streams } = await gateway.admin("/api/v1/topology") as { streams: { name: string }[] };
      return streams.length === 1 && streams[0].name === "stream-19";
    },
    DEADLINE_MS,
    "the last config holds",
  );
  assertEquals(await gateway.stop(EXIT_DEADLINE_MS), 0);
});

Deno.test("weir run keeps a SIGHUP that comes while it starts until it has started", async () => {
  const sinks = { slow: { type: SLOW_OPEN } };
  await using gateway = await GatewayProcess.start({ streams: { s: { sinks: ["slow"] } }, sinks }, {
    waitReady: false,
  });
  await gateway.program.waitUntil(
    () => gateway.program.stderr.includes("opens slowly"),
    DEADLINE_MS,
    "it opens its sink",
  );
  await rewrite(gateway, { streams: { s: { sinks: ["slow"] }, t: { sinks: ["slow"] } }, sinks });
  gateway.program.signal("SIGHUP");
  await gateway.program.waitUntil(
    () => logLines(gateway, "config is reloaded").length > 0,
    DEADLINE_MS,
    "it is reloaded",
  );
  assertEquals(logLines(gateway, "gateway is ready").length, 1);
  using connection = await HttpConnection.open(gateway.port);
  assertEquals((await connection.request({ path: "/v1/streams/t" }, "1")).status, 200);
});

Deno.test("weir run refuses a SIGHUP while it drains, and ends as it would have", async () => {
  const config = { gateway: { drainMs: 120_000 }, streams: { s: { sinks: ["stalled"], ack: "memory" } } };
  await using gateway = await GatewayProcess.start({ ...config, sinks: { stalled: { type: STALLED } } });
  using connection = await HttpConnection.open(gateway.port);
  assertEquals((await connection.request({ path: "/v1/streams/s" }, "1")).status, 202);
  gateway.program.signal("SIGTERM");
  await gateway.program.waitUntil(() => logLines(gateway, "draining").length > 0, DEADLINE_MS, "it drains");
  await hangUp(gateway, "config is not reloaded, nothing was changed");
  gateway.program.signal("SIGTERM");
  assertEquals((await gateway.program.exit(EXIT_DEADLINE_MS)).code, 3);
});

Deno.test("weir run counts what a removed sink did not take in time in its exit code", async () => {
  const file = { type: "file", path: "out.ndjson" };
  await using gateway = await GatewayProcess.start({
    gateway: { drainMs: 200 },
    streams: { s: { sinks: ["stalled"], ack: "memory" } },
    sinks: { stalled: { type: STALLED } },
  });
  using connection = await HttpConnection.open(gateway.port);
  assertEquals((await connection.request({ path: "/v1/streams/s" }, "1\n2")).status, 202);
  await rewrite(gateway, { streams: { s: { sinks: ["file"] } }, sinks: { file } });
  await hangUp(gateway);
  const message = "gave up the records of a sink that is gone from the config";
  await gateway.program.waitUntil(() => logLines(gateway, message).length > 0, DEADLINE_MS, message);
  assertEquals((await connection.request({ path: "/v1/streams/s" }, "3")).status, 200);
  assertEquals(await gateway.stop(EXIT_DEADLINE_MS), 3);
});
