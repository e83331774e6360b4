/**
 * Fifty sockets that send as fast as they can, into a pool of 64 MiB before a sink that takes a thousandth of it: what
 * the gateway takes beyond its pool, in segments and in memory of the process.
 *
 * @module
 */
import { GatewayProcess } from "../../support/gateway_process.ts";
import { freePort } from "../../support/ports.ts";
import type { Result, Row } from "../row.ts";
import { slowConfig } from "../slow_sink_control.ts";
import { startSocketLoad } from "./sockets.ts";

const CONNECTIONS = 50;
const MESSAGE_BYTES = 512;
/** The pool is full within two. */
const LOAD_SECONDS = 10;
const POOL_MIB = 64;
const MIB = 1024 * 1024;
const SAMPLE_MS = 50;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Segments and memory over those of the pool. */
export const socketPool: Row = {
  name: "socket-pool",
  async run(): Promise<Result[]> {
    await using gateway = await GatewayProcess.start(
      slowConfig({ ack: "memory" }, { recordsPerSecond: 1000, maxRecords: 100, controlPort: freePort() }),
    );
    const idleBytes = gateway.program.usage().rssBytes;
    const total = await gateway.metric("weir_pool_bound_segments", { pool: "network", bound: "total" });
    await using client = startSocketLoad({
      url: `${gateway.url}/v1/streams/s`,
      connections: CONNECTIONS,
      bytes: MESSAGE_BYTES,
      seconds: LOAD_SECONDS,
    });
    const endMs = performance.now() + LOAD_SECONDS * 1000;
    let [beyond, lentMost, pausedMost] = [0, 0, 0];
    while (performance.now() < endMs) {
      const lent = await gateway.metric("weir_pool_segments", { pool: "network", state: "lent" });
      const overdraft = await gateway.metric("weir_pool_overdraft_segments");
      beyond = Math.max(beyond, overdraft, lent - total);
      lentMost = Math.max(lentMost, lent);
      pausedMost = Math.max(pausedMost, await gateway.metric("weir_websocket_paused"));
      await pause(SAMPLE_MS);
    }
    client.signal("SIGKILL");
    const overIdleMib = (gateway.program.usage().peakRssBytes - idleBytes) / MIB;
    const one = (value: number) => ({ value, min: value, max: value, samples: 1 });
    return [{
      name: `${CONNECTIONS} sockets at full speed: segments beyond the pool`,
      goal: { kind: "atMost", value: 0, unit: "segments" },
      ...one(beyond),
      detail: { "most lent": lentMost, of: total, "most paused": pausedMost },
    }, {
      name: `${CONNECTIONS} sockets at full speed: peak RSS over idle`,
      goal: { kind: "atMost", value: POOL_MIB + 128, unit: "MiB" },
      ...one(overIdleMib),
      detail: { "idle MiB": Math.round(idleBytes / MIB) },
    }];
  },
};
