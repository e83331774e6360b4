/**
 * Far more than the sink takes: 256 clients with bodies of 1 MiB, a sink of 10 records a second. Memory must hold, the
 * sink must stay busy though nearly everyone is told to come back later, and no client may be forgotten.
 *
 * @module
 */
import { GatewayProcess } from "../../support/gateway_process.ts";
import { freePort } from "../../support/ports.ts";
import { Program } from "../../support/process.ts";
import type { PatientReport } from "../clients/patient.ts";
import type { Result, Row } from "../row.ts";
import { slowConfig, tellSlowSink } from "../slow_sink_control.ts";

const CLIENTS = 256;
const BODY_BYTES = 1024 * 1024;
const RECORDS_PER_SECOND = 10;
/** Each client's turn comes once in that time if all get the same. */
const FAIR_SECONDS = CLIENTS / RECORDS_PER_SECOND;
/** Long enough that a client which is served late is seen to be late. */
const RUN_SECONDS = Math.ceil(2.5 * FAIR_SECONDS);
const POOL_MIB = 64;
const MIB = 1024 * 1024;
const CLIENT_PATH = new URL("../clients/patient.ts", import.meta.url).pathname;

/** Memory, the sink's share of busy time, and fairness. */
export const overload: Row = {
  name: "overload",
  async run(): Promise<Result[]> {
    const controlPort = freePort();
    await using gateway = await GatewayProcess.start(
      slowConfig({}, { recordsPerSecond: RECORDS_PER_SECOND, controlPort }),
    );
    const idleBytes = gateway.program.usage().rssBytes;
    await using clients = new Program(Deno.execPath(), {
      args: [
        "run",
        "-A",
        CLIENT_PATH,
        String(gateway.port),
        String(CLIENTS),
        String(BODY_BYTES),
        String(RUN_SECONDS),
      ],
    });
    // The time that the first bodies need to arrive is not the sink's idleness.
    await clients.waitUntil(
      async () => (await tellSlowSink(controlPort, "report")).records > 0,
      10_000,
      "the first record was stored",
    );
    const [before, startMs] = [(await tellSlowSink(controlPort, "report")).records, performance.now()];
    const ended = await clients.exit((RUN_SECONDS + 30) * 1000);
    const [after, endMs] = [(await tellSlowSink(controlPort, "report")).records, performance.now()];
    if (ended.code !== 0) throw new Error(clients.describe("the clients failed"));
    const report: PatientReport = JSON.parse(clients.stdout);

    const busyShare = (after - before) / ((endMs - startMs) / 1000 * RECORDS_PER_SECOND);
    const peakMib = (gateway.program.usage().peakRssBytes - idleBytes) / MIB;
    const waits = report.longestWaits.toSorted((a, b) => a - b);
    const one = (value: number) => ({ value, min: value, max: value, samples: 1 });
    return [
      {
        name: `${CLIENTS} × 1 MiB: peak RSS over idle`,
        goal: { kind: "atMost", value: POOL_MIB + 128, unit: "MiB" },
        ...one(peakMib),
        detail: { "idle MiB": Math.round(idleBytes / MIB) },
      },
      {
        name: `${CLIENTS} × 1 MiB: sink busy`,
        goal: { kind: "atLeast", value: 0.95, unit: "×" },
        ...one(busyShare),
        detail: {
          served: report.served,
          refused: report.refused,
          "refused after waiting as told": report.refusedAgain,
          "connections lost": report.lost,
          "other answers": JSON.stringify(report.others),
        },
      },
      {
        name: `${CLIENTS} × 1 MiB: longest wait of a client`,
        goal: { kind: "atMost", value: 2 * FAIR_SECONDS, unit: "s" },
        value: waits[waits.length - 1],
        min: waits[0],
        max: waits[waits.length - 1],
        samples: waits.length,
        detail: { "fair s": FAIR_SECONDS },
      },
    ];
  },
};
