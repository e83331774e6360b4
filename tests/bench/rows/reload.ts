/**
 * A reload that changes one of fifty streams, again and again, under a load on the other forty-nine. They are not touched:
 * no request of theirs fails, and their slowest answers are about as fast as in the slices without reloads, which run by
 * turns with those.
 *
 * @module
 */
import { GatewayProcess, type RawConfig } from "../../support/gateway_process.ts";
import { jsonRecord } from "../bodies.ts";
import { median } from "../compare.ts";
import type { BenchOptions, Result, Row } from "../row.ts";
import { type LoadSummary, WrkLoad } from "../wrk.ts";

const STREAMS = 50;
/** Below saturation by as much as it can be with a closed loop: a queue of requests would hide a pause. */
const CONNECTIONS = 8;
const RECORD_BYTES = 512;
/** Five in a slice of a second. */
const RELOAD_EVERY_MS = 200;
const WARM_UP_SLICES = 2;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Fifty streams into one sink; the last one differs from round to round. */
function configOf(round: number): RawConfig {
  const stream = { sinks: ["m"], validate: "none", maxRecordBytes: 4096 };
  return {
    streams: Object.fromEntries(
      Array.from({ length: STREAMS }, (_, k) => [
        `s${k}`,
        k < STREAMS - 1 ? stream : { ...stream, maxWaitMs: 1000 + round },
      ]),
    ),
    sinks: { m: { type: "memory" } },
  };
}

/** Reloads until `isOver`; resolves to how often. */
async function reloadUntil(gateway: GatewayProcess, isOver: () => boolean): Promise<number> {
  const { gateway: section, listen, admin } = JSON.parse(await Deno.readTextFile(gateway.configPath));
  let rounds = 0;
  while (!isOver()) {
    const config = { ...configOf(++rounds % 1000), gateway: section, listen, admin };
    await Deno.writeTextFile(gateway.configPath, JSON.stringify(config));
    gateway.program.signal("SIGHUP");
    await pause(RELOAD_EVERY_MS);
  }
  return rounds;
}

/** Failures and p99 of the streams that a reload does not change. */
export const reload: Row = {
  name: "reload",
  async run({ slices, sliceSeconds }: BenchOptions): Promise<Result[]> {
    await using gateway = await GatewayProcess.start(configOf(0));
    const body = jsonRecord(RECORD_BYTES);
    await using load = await WrkLoad.create({
      requests: Array.from({ length: STREAMS - 1 }, (_, k) => ({
        path: `/v1/streams/s${k}`,
        contentType: "application/octet-stream",
        body,
      })),
      connections: CONNECTIONS,
    });
    const calm = () => load.run(gateway.url, sliceSeconds);
    let reloads = 0;
    const changing = async (): Promise<LoadSummary> => {
      let isOver = false;
      const reloading = reloadUntil(gateway, () => isOver);
      try {
        return await load.run(gateway.url, sliceSeconds);
      } finally {
        isOver = true;
        reloads += await reloading;
      }
    };
    for (let k = 0; k < WARM_UP_SLICES; k++) await calm();
    const ratios: number[] = [];
    let failed = 0;
    for (let pair = 0; pair < slices; pair++) {
      const calmFirst = pair % 2 === 0;
      const first = await (calmFirst ? calm : changing)();
      const second = await (calmFirst ? changing : calm)();
      const [before, during] = calmFirst ? [first, second] : [second, first];
      ratios.push(during.p99Ms / before.p99Ms);
      for (const { refusals, failures } of [before, during]) failed += refusals + failures;
    }
    const taken = gateway.program.stderr.split("config is reloaded").length - 1;
    if (taken === 0) throw new Error(gateway.program.describe("no reload was taken"));
    return [
      {
        name: `reload of 1 in ${STREAMS} streams: requests of the others that fail`,
        goal: { kind: "atMost", value: 0, unit: "requests" },
        value: failed,
        min: failed,
        max: failed,
        samples: slices,
        detail: { reloads },
      },
      {
        name: `reload of 1 in ${STREAMS} streams: p99 of the others against none`,
        goal: { kind: "atMost", value: 2, unit: "×" },
        value: median(ratios),
        min: Math.min(...ratios),
        max: Math.max(...ratios),
        samples: slices,
        detail: { "reloads a second": 1000 / RELOAD_EVERY_MS },
      },
    ];
  },
};
