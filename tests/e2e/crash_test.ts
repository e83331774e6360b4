/**
 * kill -9 in the middle of everything: what was acknowledged with `ack: delivered` is in the file, and the file that a
 * killed gateway leaves is one that the next goes on with.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { GatewayProcess } from "../support/gateway_process.ts";
import { HttpConnection, isConnectionLoss } from "../support/http_client.ts";

const ROUNDS = 10;
const CLIENTS = 30;
const RECORDS_PER_BODY = 20;
/** Bodies answered before the kill, so that every round has something to lose. */
const ANSWERED_BEFORE = 60;
/** Records that are not settled as the gateway is killed. */
const LEAST_UNSETTLED = 100;
const PATH = "/v1/streams/s";
const DEADLINE_MS = 60_000;

/** Posts bodies of numbered records until the gateway is gone. */
class Client {
  /** Names of the records that were answered with 200. */
  readonly acked: string[] = [];
  answered = 0;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async run(port: number): Promise<void> {
    try {
      using connection = await HttpConnection.open(port);
      for (let body = 0;; body++) {
        const names = Array.from({ length: RECORDS_PER_BODY }, (_, k) => `${this.#name}-${body}-${k}`);
        const lines = names.map((name) => `{"name":"${name}","text":"${"x".repeat(80)}"}\n`).join("");
        const answer = await connection.request({
          path: PATH,
          headers: { "Content-Type": "application/x-ndjson" },
        }, lines);
        assertEquals(answer.status, 200, answer.body);
        this.acked.push(...names);
        this.answered++;
      }
    } catch (error) {
      if (!isConnectionLoss(error) && !(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
  }
}

/** Whether the gateway says of itself, at this moment, that a write is in flight and many records are not settled. */
async function hasMuchToLose(gateway: GatewayProcess): Promise<boolean> {
  const [unsettled, writes] = await Promise.all([
    gateway.unsettledRecords(),
    gateway.metric("weir_sink_inflight_batches", { sink: "file" }),
  ]);
  return writes >= 1 && unsettled >= LEAST_UNSETTLED;
}

Deno.test("Gateway killed under load has lost nothing that it acknowledged, and goes on with the same file", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weir_crash_" });
  const path = `${folder}/out.ndjson`;
  const acked: string[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await using gateway = await GatewayProcess.start({
        streams: { s: { sinks: ["file"] } },
        sinks: { file: { type: "file", path, batch: { maxRecords: 100 } } },
      }, { folder });
      const clients = Array.from({ length: CLIENTS }, (_, k) => new Client(`${round}-${k}`));
      const running = clients.map((client) => client.run(gateway.port));
      const answered = () => clients.reduce((sum, client) => sum + client.answered, 0);
      await gateway.program.waitUntil(
        () => answered() >= ANSWERED_BEFORE,
        DEADLINE_MS,
        "bodies were answered",
      );
      await gateway.program.waitUntil(
        () => hasMuchToLose(gateway),
        DEADLINE_MS,
        "a write of many records ran",
      );
      gateway.program.signal("SIGKILL");
      await gateway.program.exit(DEADLINE_MS);
      await Promise.all(running);
      acked.push(...clients.flatMap((client) => client.acked));
    }
    // A last one, which repairs what the kill cut off.
    await using gateway = await GatewayProcess.start({
      streams: { s: { sinks: ["file"] } },
      sinks: { file: { type: "file", path } },
    }, { folder });
    using connection = await HttpConnection.open(gateway.port);
    assertEquals((await connection.request({ path: PATH }, '{"name":"last"}')).status, 200);
    const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
    const stored = new Set(lines.map((line) => JSON.parse(line).name));
    assertEquals(acked.filter((name) => !stored.has(name)), []);
    assert(stored.has("last"));
    assert(acked.length >= ROUNDS * ANSWERED_BEFORE * RECORDS_PER_BODY);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
