/**
 * A sink that stops and comes back, under a load that does not let up. While it stands, no more is admitted than the
 * pool holds; when it is back it is at its full rate at once, as the pool is full of what it wants.
 *
 * @module
 */
import { GatewayProcess } from "../../support/gateway_process.ts";
import { freePort } from "../../support/ports.ts";
import { jsonRecord } from "../bodies.ts";
import type { Result, Row } from "../row.ts";
import { slowConfig, tellSlowSink } from "../slow_sink_control.ts";
import { WrkLoad } from "../wrk.ts";

const RECORDS_PER_SECOND = 5000;
/** Records per write: 20 ms of the sink's time. */
const MAX_RECORDS = 100;
const RECORD_BYTES = 1024;
const POOL_MIB = 64;
const MIB = 1024 * 1024;
const NORMAL_MS = 2000;
/** The pool is full after a second or two of a load that the sink does not take. */
const LOAD_SECONDS = 10;
/** A rate is the mean over that time, and shorter swings are not seen. */
const WINDOW_MS = 500;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** When the first window begins in which the sink takes 95 % of its rate, in ms since the resume; Infinity if never. */
export function recoveryMs(
  slots: readonly number[],
  slotMs: number,
  perSecond: number,
  windowMs: number,
): number {
  const width = windowMs / slotMs;
  const wanted = 0.95 * perSecond * windowMs / 1000;
  for (let start = 0; start + width <= slots.length; start++) {
    let sum = 0;
    for (let i = start; i < start + width; i++) sum += slots[i];
    if (sum >= wanted) return start * slotMs;
  }
  return Infinity;
}

/** What is inside when the sink stands, and how fast it is back. */
export const stall: Row = {
  name: "stall",
  async run(): Promise<Result[]> {
    const controlPort = freePort();
    await using gateway = await GatewayProcess.start(slowConfig(
      { ack: "memory" },
      { recordsPerSecond: RECORDS_PER_SECOND, maxRecords: MAX_RECORDS, controlPort },
    ));
    const body = jsonRecord(RECORD_BYTES);
    await using load = await WrkLoad.create({
      requests: [{ path: "/v1/streams/s", contentType: "application/octet-stream", body }],
    });

    const loading = load.run(gateway.url, LOAD_SECONDS);
    await pause(NORMAL_MS);
    await tellSlowSink(controlPort, "stall");
    const summary = await loading;
    const { records } = await tellSlowSink(controlPort, "report");
    const admitted = summary.answers - summary.refusals;
    const insideMib = (admitted - records) * RECORD_BYTES / MIB;

    const loadingAgain = load.run(gateway.url, LOAD_SECONDS);
    await pause(NORMAL_MS);
    await tellSlowSink(controlPort, "resume");
    await loadingAgain;
    const { sinceResume, slotMs } = await tellSlowSink(controlPort, "report");
    const backMs = recoveryMs(sinceResume, slotMs, RECORDS_PER_SECOND, WINDOW_MS);

    return [{
      name: "sink stalls: admitted and not delivered",
      goal: { kind: "atMost", value: POOL_MIB, unit: "MiB" },
      value: insideMib,
      min: insideMib,
      max: insideMib,
      samples: 1,
      detail: { admitted, refusals: summary.refusals, failures: summary.failures },
    }, {
      name: "sink returns: time to 95 % of its rate",
      goal: { kind: "atMost", value: 200, unit: "ms" },
      value: backMs,
      min: backMs,
      max: backMs,
      samples: 1,
      detail: { "first 100 ms": sinceResume.slice(0, 100 / slotMs).join(" ") },
    }];
  },
};
