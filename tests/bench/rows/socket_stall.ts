/**
 * A sink that stands for a minute and comes back, under sockets that never stop: nothing is lost, nothing changes
 * places, and the sockets are read again at once.
 *
 * @module
 */
import { GatewayProcess } from "../../support/gateway_process.ts";
import { freePort } from "../../support/ports.ts";
import { SocketClient } from "../../support/socket_client.ts";
import type { OrderedReport } from "../ordered_sink.ts";
import type { Result, Row } from "../row.ts";

const SOCKETS = 20;
const STALL_MS = 60_000;
const BEFORE_MS = 1_000;
const AFTER_MS = 2_000;
const FILLING = ".".repeat(1000);
const MODULE = new URL("../ordered_sink.ts", import.meta.url).pathname;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** One minute of it. */
export const socketStall: Row = {
  name: "socket-stall",
  async run(): Promise<Result[]> {
    const controlPort = freePort();
    await using gateway = await GatewayProcess.start({
      streams: { s: { sinks: ["ordered"], validate: "none", ack: "memory" } },
      sinks: { ordered: { type: MODULE, controlPort, order: "strict" } },
    });
    const tell = async (order: "stall" | "resume" | "report"): Promise<OrderedReport> =>
      await (await fetch(`http://127.0.0.1:${controlPort}/${order}`, { method: "POST" })).json();

    let [sent, lastSentMs, isOver] = [0, 0, false];
    const clients: SocketClient[] = [];
    const sending: Promise<void>[] = [];
    for (let k = 0; k < SOCKETS; k++) {
      const client = await SocketClient.connect(gateway.port, "/v1/streams/s");
      clients.push(client);
      sending.push((async () => {
        for (let number = 1; !isOver; number++) {
          await client.send(`${k} ${number} ${FILLING}`);
          [sent, lastSentMs] = [sent + 1, performance.now()];
        }
        await client.sendClose(1000);
      })());
    }
    await pause(BEFORE_MS);
    await tell("stall");
    await pause(STALL_MS);
    const stoodMs = performance.now() - lastSentMs;
    const acceptedBefore = await gateway.metric("weir_records_total", { stream: "s", outcome: "accepted" });
    const resumedMs = performance.now();
    const resumed = tell("resume");
    const sentBefore = sent;
    while (sent === sentBefore) await pause(1);
    const readAgainMs = performance.now() - resumedMs;
    await resumed;
    await pause(AFTER_MS);
    isOver = true;
    await Promise.all(sending);
    let report = await tell("report");
    for (const endMs = performance.now() + 20_000; report.records < sent && performance.now() < endMs;) {
      await pause(50);
      report = await tell("report");
    }
    for (const client of clients) client[Symbol.dispose]();
    const one = (value: number) => ({ value, min: value, max: value, samples: 1 });
    return [{
      name: "stall of a minute: records lost",
      goal: { kind: "atMost", value: 0, unit: "records" },
      ...one(sent - report.records),
      detail: {
        sent,
        "accepted before its end": acceptedBefore,
        "s without a read": Math.round(stoodMs / 1000),
      },
    }, {
      name: "stall of a minute: records out of order",
      goal: { kind: "atMost", value: 0, unit: "records" },
      ...one(report.outOfOrder),
      detail: {},
    }, {
      name: "stall of a minute: time from the sink's return to the first read",
      goal: { kind: "atMost", value: 20, unit: "ms" },
      ...one(readAgainMs),
      detail: {},
    }];
  },
};
