/**
 * Clients that are none of ours against the gateway as a process: what they send arrives, and what is refused they
 * understand.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { gzipSync } from "node:zlib";
import { WrkLoad } from "../bench/wrk.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";

const STALLED = new URL("./stalled_sink.ts", import.meta.url).pathname;
const PYTHON_CLIENT = new URL("./python_client.py", import.meta.url).pathname;

const toFile = {
  streams: { s: { sinks: ["file"] } },
  sinks: { file: { type: "file", path: "out.ndjson" } },
};

async function run(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd }).output();
  const decoder = new TextDecoder();
  if (code !== 0) {
    throw new Error(`${command} ended with code ${code}: ${decoder.decode(stderr)}${decoder.decode(stdout)}`);
  }
  return decoder.decode(stdout);
}

const stored = (gateway: GatewayProcess) => Deno.readTextFile(`${gateway.folder}/out.ndjson`);

interface LedgerRow {
  readonly accepted: number;
  readonly delivered: number;
  readonly inFlight: number;
}
async function ledgerRow(gateway: GatewayProcess): Promise<LedgerRow> {
  const { balanced, rows } = await gateway.admin("/api/v1/ledger") as {
    balanced: boolean;
    rows: LedgerRow[];
  };
  assert(balanced);
  return rows[0];
}

requires("curl").test(
  "curl -d against the embedded default's kind of stream: 200, and the line is in the file",
  async () => {
    await using gateway = await GatewayProcess.start(toFile);
    const url = `${gateway.url}/v1/streams/s`;
    assertEquals(
      await run("curl", ["-sS", "-w", " %{http_code}", "-d", '{"hello":"world"}', url]),
      '{"accepted":1,"next":1,"rejectedCount":0,"rejected":[]} 200',
    );
    assertEquals(await stored(gateway), '{"hello":"world"}\n');
  },
);

requires("curl").test(
  "curl uploads files: large with Expect, compressed, chunked, from standard input",
  async () => {
    await using gateway = await GatewayProcess.start(toFile);
    const url = `${gateway.url}/v1/streams/s`;
    const lines = Array.from({ length: 50_000 }, (_, k) => `{"number":${k},"text":"some text"}\n`).join("");
    await Deno.writeTextFile(`${gateway.folder}/body`, lines);
    await Deno.writeFile(`${gateway.folder}/body.gz`, gzipSync(lines));
    const type = ["-H", "Content-Type: application/x-ndjson"];
    for (
      const args of [
        ["--data-binary", "@body"],
        ["-H", "Expect: 100-continue", "--data-binary", "@body"],
        ["-H", "Content-Encoding: gzip", "--data-binary", "@body.gz"],
        ["-H", "Transfer-Encoding: chunked", "--data-binary", "@body"],
        ["-T", "body", "-X", "POST", "--http1.1"],
      ]
    ) {
      const answer = await run("curl", ["-sS", ...type, ...args, url], gateway.folder);
      assertEquals(JSON.parse(answer).accepted, 50_000, args.join(" "));
    }
    assertEquals(await stored(gateway), lines.repeat(5));
  },
);

requires("curl").test("curl reads refusals of bodies that it has not sent", async () => {
  await using gateway = await GatewayProcess.start(toFile);
  await Deno.writeFile(`${gateway.folder}/large`, new Uint8Array(40_000_000));
  for (const extra of [[], ["-H", "Expect:"]]) {
    const status = await run("curl", [
      "-sS",
      "-o",
      "answer",
      "-w",
      "%{http_code}",
      "-H",
      "Content-Type: application/x-ndjson",
      ...extra,
      "--data-binary",
      "@large",
      `${gateway.url}/v1/streams/s`,
    ], gateway.folder);
    assertEquals(status, "413");
    assertEquals(
      JSON.parse(await Deno.readTextFile(`${gateway.folder}/answer`)).type,
      "urn:weir:problem:body-too-large",
    );
  }
});

requires("python3").test(
  "Python's http.client, which reads only when it has sent all, is served and refused on one connection",
  async () => {
    await using gateway = await GatewayProcess.start({
      streams: {
        ...toFile.streams,
        small: { sinks: ["file"], maxBodyBytes: 10_000, maxRecordBytes: 1000 },
        full: { sinks: ["stalled"], ack: "memory", maxRecordBytes: 1000, maxSegments: 100, maxWaitMs: 20 },
      },
      sinks: { ...toFile.sinks, stalled: { type: STALLED } },
    });
    const client = async (stream: string, bytes: number, requests: number) =>
      (await run("python3", [
        PYTHON_CLIENT,
        `${gateway.port}`,
        `/v1/streams/${stream}`,
        `${bytes}`,
        `${requests}`,
      ])).trim().split("\n");
    assertEquals(await client("s", 500_000, 3), ["200 None", "200 None", "200 None", "kept"]);
    assertEquals(await client("s", 5_000_000, 2), ["200 None", "200 None", "kept"]);
    assertEquals(await client("small", 900_000, 3), ["413 None", "413 None", "413 None", "kept"]);
    assertEquals(await client("none", 900_000, 2), ["404 None", "404 None", "kept"]);
    const full = await client("full", 600_000, 4);
    assertMatch(full[0], /^202/);
    for (const line of full.slice(3, 4)) assertMatch(line, /^429 [1-9]\d?$/);
    assertEquals(full[4], "kept");
  },
);

requires("wrk").test("wrk posts 10,000 requests: answers, ledger and lines of the file agree", async () => {
  await using gateway = await GatewayProcess.start(toFile);
  const text = '{"text":"from wrk"}';
  const request = { path: "/v1/streams/s", contentType: "application/json", body: text };
  await using load = await WrkLoad.create({ requests: [request], connections: 50 });
  let answers = 0;
  let runs = 0;
  for (; answers < 10_000; runs++) {
    const summary = await load.run(gateway.url, 1);
    assertEquals([summary.refusals, summary.failures], [0, 0]);
    answers += summary.answers;
  }
  // wrk ends without reading its last answers: those are stored, perhaps only when it is gone, and not counted by it.
  let lines: string[] = [];
  let served = 0;
  await gateway.program.waitUntil(
    async () => {
      served = await gateway.metric("weir_requests_total", { stream: "s", status: "200" });
      lines = (await stored(gateway)).trimEnd().split("\n");
      const { accepted, delivered } = await ledgerRow(gateway);
      return accepted === lines.length && delivered === lines.length;
    },
    60_000,
    "ledger and lines of the file agree",
  );
  assert(lines.every((line) => line === text));
  assert(
    lines.length >= answers && lines.length <= answers + 50 * runs,
    `${lines.length} lines, ${answers} answers`,
  );
  assert(served >= answers && served <= lines.length, `${served} requests`);
});
