/**
 * A thousand WebSockets of a stream whose sink stands, each with 1 MB to send: what each of them costs, and what the
 * other streams feel of them. The stream's share of the pool is full before the first of them comes, so what is measured
 * is theirs.
 *
 * @module
 */
import { GatewayProcess } from "../../support/gateway_process.ts";
import { freePort } from "../../support/ports.ts";
import { SocketClient } from "../../support/socket_client.ts";
import { jsonRecord } from "../bodies.ts";
import { median } from "../compare.ts";
import type { BenchOptions, Result, Row } from "../row.ts";
import { slowConfig, tellSlowSink } from "../slow_sink_control.ts";
import { WrkLoad } from "../wrk.ts";

const SOCKETS = 1000;
const OFFERED_BYTES = 1_000_000;
const MESSAGE_BYTES = 1000;
const KIB = 1024;
/** Slices with the sockets; each stands between two without, whose mean it is held against, as the machine's speed drifts. */
const ROUNDS = 16;
/** A socket that is not read shows only by a failed ping that its client is gone; so often, ms, that a round leaves none to the next. */
const PING_MS = 500;
/** Nothing has been taken for so long: what can come has come. */
const CALM_MS = 500;
const WARM_UP_SECONDS = 2;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Opens `count` sockets that offer what they have; resolves when all have gone as far as they come. */
async function offer(gateway: GatewayProcess, count: number): Promise<SocketClient[]> {
  const message = jsonRecord(MESSAGE_BYTES);
  const clients: SocketClient[] = [];
  let [sent, sentMs] = [0, performance.now()];
  for (let k = 0; k < count; k++) {
    const client = await SocketClient.connect(gateway.port, "/v1/streams/s");
    clients.push(client);
    (async () => {
      for (let bytes = 0; bytes < OFFERED_BYTES; bytes += MESSAGE_BYTES) {
        await client.send(message);
        [sent, sentMs] = [sent + 1, performance.now()];
      }
    })().catch(() => {}); // it is closed in the middle of what it offers
  }
  while (performance.now() - sentMs < CALM_MS) await pause(CALM_MS / 5);
  if (sent === 0) throw new Error(gateway.program.describe("no message was sent"));
  return clients;
}

/** Memory per paused connection, and the rate of another stream beside them. */
export const pausedSockets: Row = {
  name: "paused-sockets",
  async run({ sliceSeconds }: BenchOptions): Promise<Result[]> {
    const controlPort = freePort();
    const { streams, sinks } = slowConfig({ ack: "memory" }, { recordsPerSecond: 1000, controlPort });
    await using gateway = await GatewayProcess.start({
      listen: { pingMs: PING_MS },
      streams: { ...streams as object, other: { sinks: ["m"], validate: "none" } },
      sinks: { ...sinks as object, m: { type: "memory" } },
    });
    await using load = await WrkLoad.create({
      requests: [{
        path: "/v1/streams/other",
        contentType: "application/octet-stream",
        body: jsonRecord(MESSAGE_BYTES),
      }],
    });
    const rate = async () => {
      const { answers, refusals, failures, seconds } = await load.run(gateway.url, sliceSeconds);
      if (refusals + failures > 0) throw new Error(gateway.program.describe("the other stream was refused"));
      return answers / seconds;
    };
    await load.run(gateway.url, WARM_UP_SECONDS);
    await tellSlowSink(controlPort, "stall");
    // One client alone fills what the stream may have.
    const fillers: SocketClient[] = [];
    for (let taken = -1;;) {
      fillers.push(...await offer(gateway, 20));
      const lent = await gateway.metric("weir_pool_segments", { pool: "stream:s", state: "lent" });
      if (lent === taken) break;
      taken = lent;
    }
    const [ratios, perConnection]: [number[], number[]] = [[], []];
    let pausedMost = 0;
    let before = await rate();
    for (let round = 0; round < ROUNDS; round++) {
      const idleBytes = gateway.program.usage().rssBytes;
      const clients = await offer(gateway, SOCKETS);
      perConnection.push((gateway.program.usage().rssBytes - idleBytes) / SOCKETS / KIB);
      const paused = await gateway.metric("weir_websocket_paused");
      if (paused < SOCKETS) throw new Error(gateway.program.describe(`only ${paused} sockets are paused`));
      pausedMost = Math.max(pausedMost, paused);
      const beside = await rate();
      for (const client of clients) client[Symbol.dispose]();
      while (await gateway.metric("weir_websocket_open") > fillers.length) await pause(CALM_MS);
      const after = await rate();
      ratios.push(beside / ((before + after) / 2));
      before = after;
    }
    for (const client of fillers) client[Symbol.dispose]();
    const row = (values: readonly number[], value: number) => ({
      value,
      min: Math.min(...values),
      max: Math.max(...values),
      samples: values.length,
    });
    return [{
      name: `${SOCKETS} paused WebSockets, 1 MB offered by each: RSS per connection`,
      goal: { kind: "atMost", value: 128, unit: "KiB" },
      ...row(perConnection, Math.max(...perConnection)),
      detail: { paused: pausedMost },
    }, {
      name: `${SOCKETS} paused WebSockets: rate of another stream against none paused`,
      goal: { kind: "atLeast", value: 0.95, unit: "×" },
      ...row(ratios, median(ratios)),
      detail: {},
    }];
  },
};
