/** What senders feel while a real cluster refuses: curl, a WebSocket, and those whose records go elsewhere. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { frameOf, SocketClient } from "../support/socket_client.ts";
import { searchSink } from "./elasticsearch_gateway.ts";
import { SearchIndex } from "./search_index.ts";

const DEADLINE_MS = 60_000;
const MIB = 1_048_576;
const SEGMENT_BYTES = 4096;
const SEGMENTS = 1024;
/** What the process may take beyond its pool. */
const BESIDE_POOL_BYTES = 128 * MIB;
const MESSAGES = 32_000;
const MESSAGE = `{"from":"socket","text":"${"x".repeat(970)}"}`;
const BODY = `{"from":"http","text":"${"x".repeat(200)}"}\n`.repeat(200);
const BODY_RECORDS = 200;

/** Runs curl; its exit code does not tell of a refusal, its output does. */
async function curl(...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("curl", { args: ["-s", ...args] }).output();
  return new TextDecoder().decode(stdout);
}

/** curl's arguments for a body; as large as those that fill the stream, as a small one may find room beside them. */
const SENT = ["-H", "content-type: application/x-ndjson", "--data-binary", BODY];

/** Posts until the stream refuses for want of room; returns the records that were taken, and the refusal. */
async function fill(url: string): Promise<{ readonly taken: number; readonly refusal: string }> {
  for (let taken = 0;; taken += BODY_RECORDS) {
    const answer = await curl("-i", ...SENT, url);
    if (!/^HTTP\/1.1 202 /.test(answer)) return { taken, refusal: answer };
  }
}

requires("searchCluster", "curl").test(
  "Gateway before a cluster that refuses makes curl wait and a WebSocket pause, serves others, keeps to its pool, and then delivers all",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch());
    const stream = {
      sinks: ["search"],
      ack: "memory",
      maxWaitMs: 100,
      maxRecordBytes: 4000,
      maxSegments: 400,
    };
    await using gateway = await GatewayProcess.start({
      buffers: { segmentBytes: SEGMENT_BYTES, segments: SEGMENTS },
      streams: { docs: stream, sockets: stream, files: { sinks: ["archive"] } },
      sinks: {
        // It refuses all for some seconds here, which is else a sink that is down: 503.
        search: { ...searchSink(index), downAfterMs: 600_000, batch: { maxRecords: 250, maxBytes: 100_000 } },
        archive: { type: "file", path: "archive.ndjson" },
      },
    });
    const url = `${gateway.url}/v1/streams/docs`;
    const idleBytes = gateway.program.usage().rssBytes;
    await index.set({ "index.blocks.read_only_allow_delete": true });
    const { taken, refusal } = await fill(url);
    assert(taken > 0, "there was room at first");
    assertMatch(refusal, /^HTTP\/1.1 429 /);
    const seconds = Number(/^retry-after: (\d+)\r$/im.exec(refusal)?.[1]);
    assert(seconds >= 1 && seconds <= 60, `Retry-After: ${seconds}`);
    using socket = await SocketClient.connect(gateway.port, "/v1/streams/sockets");
    const frame = frameOf(MESSAGE);
    let isSent = false;
    const sending = (async () => {
      for (let n = 0; n < MESSAGES; n++) await socket.write(frame);
      isSent = true;
    })();
    // A test that fails before it waits for this is to tell why, and not that its socket is gone.
    sending.catch(() => {});
    const paused = () => gateway.metric("weir_websocket_paused", { stream: "sockets" });
    await gateway.program.waitUntil(async () => await paused() === 1, DEADLINE_MS, "the socket was paused");

    for (let n = 0; n < 20; n++) {
      const response = await fetch(`${gateway.url}/v1/streams/files`, { method: "POST", body: BODY });
      assertEquals((await response.json()).accepted, BODY_RECORDS);
    }
    const refused = () => gateway.metric("weir_requests_total", { stream: "docs", status: "429" });
    const patient: Promise<string>[] = [];
    let settled = 0;
    // One that a gateway which stood still had refused too early left room for others.
    for (const before = await refused(); await refused() === before;) {
      const waiting = curl("--retry", "20", "-w", " %{http_code}", ...SENT, url);
      void waiting.then(() => settled++);
      patient.push(waiting);
      await gateway.program.waitUntil(
        async () => settled === patient.length || await refused() > before,
        DEADLINE_MS,
        "the patient curl was refused",
      );
    }
    assert(!isSent, "the socket's sender stands");
    const grownBytes = gateway.program.usage().peakRssBytes - idleBytes;
    const mostBytes = SEGMENTS * SEGMENT_BYTES + BESIDE_POOL_BYTES;
    assert(grownBytes <= mostBytes, `memory grew by ${grownBytes} bytes of ${mostBytes}`);

    await index.set({ "index.blocks.read_only_allow_delete": null });
    for (const answer of await Promise.all(patient)) assertMatch(answer, / 202$/);
    await sending;
    const due = taken + MESSAGES + patient.length * BODY_RECORDS;
    await gateway.program.waitUntil(
      async () => {
        await delay(200);
        return await index.count() >= due;
      },
      DEADLINE_MS,
      "all documents arrived",
    );
    assertEquals(await index.count(), due);
  },
);
