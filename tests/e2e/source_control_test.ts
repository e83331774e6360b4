/**
 * A whole gateway on real sockets, a slow sink, and more clients than it can serve: admission follows the sink, who is
 * refused is told when to come, nothing is lost, and when the load is gone or the sink is fast again all come through.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { allAcked, createGateway, defineSink, type WeirGateway } from "../../mod.ts";
import { freePort } from "../support/ports.ts";
import { HttpConnection } from "../support/http_client.ts";

const CLIENTS = 40;
const REQUEST_RECORDS = 10;
/** Longest that a test waits for something that takes a few seconds. */
const DEADLINE_MS = 60_000;

const decoder = new TextDecoder();

/** A sink whose writes take as long as it is told, one at a time, of ten records at most. */
class SlowSink {
  readonly stored: string[] = [];
  writeMs = 20;
  readonly definition = defineSink({
    type: "slow",
    config: z.strictObject({}),
    hints: () => ({ maxRecords: 10, maxBytes: 10_000, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),
    open: () => ({
      write: async (batch) => {
        if (this.writeMs > 0) await new Promise((resolve) => setTimeout(resolve, this.writeMs));
        for (let i = 0; i < batch.count; i++) this.stored.push(decoder.decode(batch.value(i)));
        return allAcked(batch);
      },
      check() {},
      close() {},
    }),
  });
}

/** Clients that send numbered records as fast as they are taken; a refused request is sent again, at once. */
class Clients {
  /** Records that were answered 202. */
  readonly taken: string[] = [];
  /** `Retry-After` of each refusal. */
  readonly refusals: string[] = [];
  #stopped = false;
  #records = 0;
  readonly #ended: Promise<unknown>;

  constructor(port: number, count: number) {
    this.#ended = Promise.all(Array.from({ length: count }, () => this.#run(port)));
  }

  async #run(port: number): Promise<void> {
    using connection = await HttpConnection.open(port);
    while (!this.#stopped) {
      const records = Array.from({ length: REQUEST_RECORDS }, () => `{"n":${this.#records++}}`);
      const answer = await connection.request({
        path: "/v1/streams/s",
        headers: { "Content-Type": "application/x-ndjson" },
      }, records.join("\n"));
      if (answer.status === 202) this.taken.push(...records);
      else {
        assertEquals(answer.status, 429, answer.body);
        this.refusals.push(answer.headers.get("retry-after") ?? "none");
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }
}

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!await isSo()) {
    assert(performance.now() < endMs, `within ${DEADLINE_MS} ms: not ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function start(sink: SlowSink, control: Record<string, unknown>): Promise<WeirGateway> {
  const gateway = await createGateway({
    gateway: { dataDir: await Deno.makeTempDir({ prefix: "weir_source_" }) },
    listen: { port: freePort() },
    admin: { port: freePort() },
    buffers: { segmentBytes: 4096, segments: 2000 },
    streams: { s: { sinks: ["slow"], ack: "memory", maxRecordBytes: 1000, maxWaitMs: 200 } },
    sinks: { slow: { type: "slow", order: "none", control } },
  }, { sinks: [sink.definition] });
  await gateway.start();
  return gateway;
}

/** What the admin port tells of the sink's control. */
async function sourceOf(
  gateway: WeirGateway,
): Promise<{ recordsPerSecond: number | null; closedStreams: string[] }> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/api/v1/topology`);
  const { sinks } = await response.json();
  return sinks.find(({ name }: { name: string }) => name === "slow").source;
}

async function metricsOf(gateway: WeirGateway): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text();
}

function assertToldToReturn(clients: Clients): void {
  for (const told of clients.refusals) {
    assert(/^[0-9]+$/.test(told) && Number(told) >= 1 && Number(told) <= 60, `Retry-After: ${told}`);
  }
}

function assertNothingLost(sink: SlowSink, all: readonly Clients[]): void {
  const taken = all.flatMap((clients) => clients.taken);
  assertEquals(sink.stored.length, taken.length);
  assertEquals(new Set(sink.stored).size, new Set(taken).size);
}

Deno.test("createGateway() with control pid lets in what the sink takes, and all of it when the sink is faster", async () => {
  const sink = new SlowSink();
  const gateway = await start(sink, { kind: "pid", minRecordsPerSecond: 20 });
  const clients = new Clients(gateway.port, CLIENTS);
  await until(() => clients.refusals.length > 50, "many refused");
  // 500 at most; timers are late, and a guess is up to twice too high.
  await until(async () => {
    const { recordsPerSecond } = await sourceOf(gateway);
    return recordsPerSecond !== null && recordsPerSecond < 1000;
  }, "a rate near the sink's");
  assertStringIncludes(await metricsOf(gateway), 'weir_sink_admission_records_per_second{sink="slow"}');
  assertToldToReturn(clients);

  sink.writeMs = 0;
  const before = clients.taken.length;
  await until(async () => (await sourceOf(gateway)).recordsPerSecond! > 2000, "a rate far above the old one");
  await until(() => clients.taken.length > before + 5000, "records taken at it");
  await clients.stop();
  assertEquals((await gateway.stop()).lostRecords, 0);
  assertNothingLost(sink, [clients]);
});

Deno.test("createGateway() with control watermark shuts and opens with the queue, and refuses nobody when the load is gone", async () => {
  const sink = new SlowSink();
  const gateway = await start(sink, { kind: "watermark" });
  const clients = new Clients(gateway.port, CLIENTS);
  await until(() => clients.refusals.length > 50, "many refused");
  await until(async () => (await sourceOf(gateway)).closedStreams.includes("s"), "shut");
  await until(
    async () => (await metricsOf(gateway)).includes('weir_sink_admission_open{stream="s",sink="slow"} 0'),
    "told as shut",
  );
  assertToldToReturn(clients);
  await clients.stop();

  sink.writeMs = 5;
  await until(async () => (await sourceOf(gateway)).closedStreams.length === 0, "open again");
  // "Shut" that nobody asks for ends after a second, on a busy machine before the queue is empty.
  await until(() => sink.stored.length === clients.taken.length, "the load gone");
  const few = new Clients(gateway.port, 4);
  await until(() => few.taken.length > 1000, "records taken again");
  await few.stop();
  assertEquals(few.refusals, []);
  assertEquals((await gateway.stop()).lostRecords, 0);
  assertNothingLost(sink, [clients, few]);
});
