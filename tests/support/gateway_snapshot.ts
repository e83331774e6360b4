/** Snapshots of a gateway as literals: one stream, one sink, one lane, all at rest; a test changes what it is about. @module */
import { Histogram } from "../../src/monitor/histogram.ts";
import type {
  GatewaySnapshot,
  LaneSnapshot,
  SinkSnapshot,
  StreamSnapshot,
  TaskSnapshot,
} from "../../src/monitor/view.ts";

/** When every snapshot here was taken. */
export const TAKEN_AT_MS = 1_700_000_060_000;

/** Stream `events` with sink `archive`, ack `delivered`. */
export function streamSnapshot(changes: Partial<StreamSnapshot> = {}): StreamSnapshot {
  return {
    name: "events",
    ack: "delivered",
    sinks: ["archive"],
    bestEffort: [],
    pool: { min: 34, max: 2048, size: 2048, lent: 1, idle: 1, overdraft: 0, available: true },
    acceptedRecords: 100,
    acceptedBytes: 51_200,
    rejectedRecords: 2,
    requests: { "200": 10, "429": 1 },
    openBodies: 0,
    sockets: 0,
    pausedSockets: 0,
    waiters: 0,
    quotaTokens: null,
    recordsPerSecond: 5,
    bytesPerSecond: 2_560,
    ...changes,
  };
}

/** The lane from `events` to writer 0 of `archive`. */
export function laneSnapshot(changes: Partial<LaneSnapshot> = {}): LaneSnapshot {
  return {
    stream: "events",
    sink: "archive",
    writer: 0,
    credits: 10,
    maxCredits: 10,
    backlogBuffers: 0,
    heldBuffers: 0,
    unsettledRecords: 0,
    inFlightBatches: 0,
    retryingRecords: 0,
    oldestRecordAtMs: null,
    recordsPerSecond: 5,
    deliverySeconds: new Histogram().snapshot(),
    ...changes,
  };
}

/** Sink `archive`, up. */
export function sinkSnapshot(changes: Partial<SinkSnapshot> = {}): SinkSnapshot {
  return {
    name: "archive",
    type: "file",
    state: "up",
    reason: null,
    stateSinceAtMs: TAKEN_AT_MS - 60_000,
    writers: 1,
    controller: "static",
    inFlightBatches: 0,
    inFlightLimit: 4,
    source: null,
    limit: null,
    tokens: null,
    throttledUntilAtMs: null,
    refusedWrites: 0,
    throttleSecondsTotal: 0,
    lastSuccessAtMs: TAKEN_AT_MS - 1_000,
    deliveredRecords: 100,
    deadLetteredRecords: 0,
    shedRecords: 0,
    lostRecords: 0,
    rejectedRecords: 0,
    retriedRecords: 0,
    answeredRecords: {},
    recordsPerSecond: 5,
    bytesPerSecond: 2_560,
    writeSeconds: new Histogram().snapshot(),
    ...changes,
  };
}

/** A task that is back-pressured and busy for so many ms per second, and idle for the rest. */
export function taskSnapshot(
  task: string,
  backPressuredMs: number,
  busyMs: number,
  changes: Partial<TaskSnapshot> = {},
): TaskSnapshot {
  const perSecond = { idleMs: 1000 - busyMs - backPressuredMs, busyMs, backPressuredMs };
  return {
    task,
    stream: "events",
    sink: null,
    writer: null,
    downstream: [],
    totals: perSecond,
    perSecond,
    ...changes,
  };
}

/** A gateway at rest. */
export function gatewaySnapshot(changes: Partial<GatewaySnapshot> = {}): GatewaySnapshot {
  return {
    id: "gate-1",
    version: "0.1.0",
    takenAtMs: TAKEN_AT_MS,
    startedAtMs: TAKEN_AT_MS - 60_000,
    pool: { segmentBytes: 32_768, total: 2048, free: 2046, lent: 2, required: 34 },
    streams: [streamSnapshot()],
    lanes: [laneSnapshot()],
    sinks: [sinkSnapshot()],
    ledger: [
      {
        stream: "events",
        sink: "archive",
        accepted: 100,
        delivered: 100,
        deadLettered: 0,
        shed: 0,
        lost: 0,
        spooled: 0,
        inFlight: 0,
      },
    ],
    tasks: [
      taskSnapshot("ingress/events", 0, 10, { downstream: ["lane/events/archive/0"] }),
      taskSnapshot("lane/events/archive/0", 0, 20, { sink: "archive", writer: 0 }),
    ],
    draining: [],
    sources: [],
    ...changes,
  };
}
