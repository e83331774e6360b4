/**
 * How the process starts and ends, as its operator sees it: exit codes, the last log line, and what its clients are told.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { GatewayProcess } from "../support/gateway_process.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";

const STALLED = new URL("./stalled_sink.ts", import.meta.url).pathname;
const PATH = "/v1/streams/s";
const EXIT_DEADLINE_MS = 60_000;

const stalled = (stream: Record<string, unknown>, drainMs: number) => ({
  gateway: { drainMs },
  streams: { s: { sinks: ["stalled"], ...stream } },
  sinks: { stalled: { type: STALLED } },
});

function lastLogLine(gateway: GatewayProcess): Record<string, unknown> {
  const text = (gateway.program.stdout + gateway.program.stderr).trimEnd();
  return JSON.parse(text.slice(text.lastIndexOf("\n") + 1));
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`weir run ends with 0 on ${signal} when every record is delivered`, async () => {
    await using gateway = await GatewayProcess.start({
      streams: { s: { sinks: ["file"], ack: "memory" } },
      sinks: { file: { type: "file", path: "out.ndjson", batch: { lingerMs: 5_000 } } },
    });
    using connection = await HttpConnection.open(gateway.port);
    for (let k = 0; k < 50; k++) assertEquals((await connection.request({ path: PATH }, `${k}`)).status, 202);
    gateway.program.signal(signal);
    assertEquals((await gateway.program.exit(EXIT_DEADLINE_MS)).code, 0);
    assertEquals(lastLogLine(gateway).lostRecords, 0);
    const lines = (await Deno.readTextFile(`${gateway.folder}/out.ndjson`)).trimEnd().split("\n");
    assertEquals(lines, Array.from({ length: 50 }, (_, k) => `${k}`));
  });
}

Deno.test("weir run ends with 3 when acknowledged records are lost, with their number in the last log line", async () => {
  await using gateway = await GatewayProcess.start(stalled({ ack: "memory" }, 300));
  using connection = await HttpConnection.open(gateway.port);
  for (let k = 0; k < 7; k++) assertEquals((await connection.request({ path: PATH }, "1\n2")).status, 202);
  assertEquals(await gateway.stop(EXIT_DEADLINE_MS), 3);
  assertEquals(lastLogLine(gateway).lostRecords, 14);
});

Deno.test("weir run tells requests that wait for delivery 503 before it ends, and loses nothing that was acknowledged", async () => {
  await using gateway = await GatewayProcess.start(stalled({}, 500));
  const waiting = Array.from({ length: 5 }, async () => {
    using connection = await HttpConnection.open(gateway.port);
    return await connection.request({ path: PATH }, "1");
  });
  await gateway.program.waitUntil(
    async () => await gateway.unsettledRecords() === 5,
    EXIT_DEADLINE_MS,
    "the records wait",
  );
  assertEquals(await gateway.stop(EXIT_DEADLINE_MS), 0);
  for (const answer of await Promise.all(waiting)) {
    assertEquals(answer.status, 503);
    assert(Number(answer.headers.get("retry-after")) >= 1);
    assertEquals(JSON.parse(answer.body).accepted, 1);
  }
});

Deno.test("weir run drains a healthy sink beside a stalled one", async () => {
  await using gateway = await GatewayProcess.start({
    // The healthy one syncs its file to a disk that other tests use, too; the stalled one takes all of it.
    gateway: { drainMs: 8_000 },
    streams: { s: { sinks: ["stalled"], ack: "memory" }, t: { sinks: ["file"], ack: "memory" } },
    sinks: {
      stalled: { type: STALLED },
      file: { type: "file", path: "out.ndjson", batch: { lingerMs: 60_000 } },
    },
  });
  using connection = await HttpConnection.open(gateway.port);
  assertEquals((await connection.request({ path: PATH }, "1\n2\n3")).status, 202);
  assertEquals((await connection.request({ path: "/v1/streams/t" }, "1\n2\n3")).status, 202);
  assertEquals(await gateway.stop(EXIT_DEADLINE_MS), 3);
  assertEquals(lastLogLine(gateway).lostRecords, 3);
  assertEquals(await Deno.readTextFile(`${gateway.folder}/out.ndjson`), "1\n2\n3\n");
});

Deno.test("weir run ends its drain at once on a second signal", async () => {
  await using gateway = await GatewayProcess.start(stalled({ ack: "memory" }, 120_000));
  using connection = await HttpConnection.open(gateway.port);
  assertEquals((await connection.request({ path: PATH }, "1")).status, 202);
  gateway.program.signal("SIGTERM");
  await gateway.program.waitUntil(
    () => (gateway.program.stdout + gateway.program.stderr).includes("draining"),
    EXIT_DEADLINE_MS,
    "it drains",
  );
  assertEquals((await connection.request({ path: PATH }, "2")).status, 503);
  gateway.program.signal("SIGINT");
  assertEquals((await gateway.program.exit(EXIT_DEADLINE_MS)).code, 3);
  assertEquals(lastLogLine(gateway).lostRecords, 1);
});

Deno.test("weir run ends with 1 and says so when a port is in use", async () => {
  const port = freePort();
  using _taken = Deno.listen({ hostname: "127.0.0.1", port });
  for (const section of ["listen", "admin"]) {
    await using gateway = await GatewayProcess.start({
      [section]: { port },
      streams: { s: { sinks: ["memory"] } },
      sinks: { memory: { type: "memory" } },
    }, { waitReady: false });
    assertEquals((await gateway.program.exit(EXIT_DEADLINE_MS)).code, 1);
    const said = gateway.program.stdout + gateway.program.stderr;
    assertStringIncludes(said, `127.0.0.1:${port}`);
    assertStringIncludes(said, `${section}.port`);
    assertStringIncludes(said, "in use");
  }
});

Deno.test("weir ends with 2 on a bad config, a config that is not there, and bad usage", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/bad.yaml`, "streems: {}\n");
    for (
      const [args, said] of [
        [["run", "--config", "bad.yaml"], "streams"],
        [["run", "--config", "missing.yaml"], "missing.yaml"],
        [["frobnicate"], "frobnicate"],
        [["run", "--verbose"], "--verbose"],
      ] as const
    ) {
      const mod = new URL("../../mod.ts", import.meta.url).pathname;
      await using program = new Program(Deno.execPath(), { args: ["run", "-A", mod, ...args], cwd: folder });
      assertEquals((await program.exit(EXIT_DEADLINE_MS)).code, 2, args.join(" "));
      assertStringIncludes(program.stderr, said);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
