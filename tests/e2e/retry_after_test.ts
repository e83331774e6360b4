/**
 * A client that does as `Retry-After` says gets through at its next try, nine times in ten, and the sink does not run
 * dry meanwhile: measured in counts, with a sink of known pace and far more clients than it can serve.
 *
 * @module
 */
import { assert, AssertionError } from "@std/assert";
import type { SlowSinkReport } from "../bench/slow_sink.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { freePort } from "../support/ports.ts";
import { runReturningClients } from "./returning_client.ts";

const SLOW_SINK = new URL("../bench/slow_sink.ts", import.meta.url).pathname;
/** One record fills a segment, so that room comes free record by record also at ten a second. */
const RECORD_BYTES = 3600;
const WARM_MS = 4_000;
const RUN_MS = 10_000;
/** What the stream's memory is worth at the sink's pace: more than the second that `Retry-After` counts in. */
const MEMORY_SECONDS = 4;
const SEGMENT_BYTES = 4096;

/** Part of the returns that may be in vain. */
const VAIN_SHARE = 0.1;

interface Pace {
  readonly recordsPerSecond: number;
  readonly clients: number;
}

async function holdsAt({ recordsPerSecond, clients }: Pace): Promise<void> {
  const controlPort = freePort();
  const segments = recordsPerSecond * MEMORY_SECONDS;
  const perWrite = Math.max(1, recordsPerSecond / 50);
  await using gateway = await GatewayProcess.start({
    buffers: { segmentBytes: SEGMENT_BYTES, segments: segments + 8, maxPerLane: segments + 8 },
    streams: {
      s: {
        sinks: ["slow"],
        ack: "memory",
        validate: "none",
        maxRecordBytes: 4000,
        maxWaitMs: 50,
      },
    },
    sinks: {
      slow: {
        type: SLOW_SINK,
        recordsPerSecond,
        controlPort,
        maxRecords: perWrite,
        batch: { maxBytes: perWrite * 4000 + 4000 },
      },
    },
  });
  const report = async (): Promise<SlowSinkReport> =>
    await (await fetch(`http://127.0.0.1:${controlPort}/`)).json();
  const begin = new Promise((resolve) => setTimeout(resolve, WARM_MS)).then(report)
    .then(({ busyMs }) => ({ busyMs, atMs: performance.now() }));
  const returns = await runReturningClients(gateway.port, {
    clients,
    body: "x".repeat(RECORD_BYTES),
    warmMs: WARM_MS,
    runMs: RUN_MS,
  });
  // By its time and not by its records: on a machine that is busy with other tests its timers are late.
  const { busyMs, atMs } = await begin;
  const busy = ((await report()).busyMs - busyMs) / (performance.now() - atMs);
  const again = returns.refusedAgain / returns.returned;
  const story = `at ${recordsPerSecond}/s: busy ${
    busy.toFixed(3)
  }, of ${returns.returned} returns ${returns.refusedAgain} in vain`;
  assert(returns.returned >= 20, story);
  assert(again <= VAIN_SHARE, story);
  assert(busy >= 0.95, story);
}

const PACES: readonly Pace[] = [
  { recordsPerSecond: 10, clients: 60 },
  { recordsPerSecond: 100, clients: 400 },
  { recordsPerSecond: 1000, clients: 400 },
];

/** A machine that stands still for seconds sends all who wait back at once, and lets the sink run dry: that is no verdict. */
const MOST_RUNS = 3;

for (const pace of PACES) {
  Deno.test(`Admission sends clients away for as long as it takes at ${pace.recordsPerSecond} records/s`, async () => {
    for (let run = 1;; run++) {
      try {
        return await holdsAt(pace);
      } catch (error) {
        if (!(error instanceof AssertionError) || run === MOST_RUNS) throw error;
      }
    }
  });
}
