/**
 * The gateway as plain data, for metrics, the admin API and tests. Taken in one turn of the event loop, so that the
 * numbers fit each other: the ledger adds up in every snapshot.
 *
 * @module
 */
import type { NetworkBufferPool } from "./buffer/network_buffer_pool.ts";
import type { Config } from "./config.ts";
import type { Clock } from "./core/clock.ts";
import { fromLimits } from "./limits_of.ts";
import type {
  GatewaySnapshot,
  LaneSnapshot,
  LedgerRow,
  SinkSnapshot,
  StreamSnapshot,
  TaskSnapshot,
  TokenLevels,
} from "./monitor/view.ts";
import type { SinkUnit } from "./sink_unit.ts";
import type { LaneUnit, StreamUnit } from "./stream_unit.ts";

/** What a snapshot is taken of. */
export interface Observed {
  /** Its config. */
  readonly config: Config;
  /** Version of Weir. */
  readonly version: string;
  /** When it started, ms since 1970. */
  readonly startedAtMs: number;
  /** Time. */
  readonly clock: Clock;
  /** All memory. */
  readonly network: NetworkBufferPool;
  /** Its streams. */
  readonly streams: Iterable<StreamUnit>;
  /** Its sinks, dead-letter files included. */
  readonly sinks: Iterable<SinkUnit>;
}

/** Takes it. */
export function takeSnapshot(gateway: Observed): GatewaySnapshot {
  const { network, clock, config } = gateway;
  const streams = [...gateway.streams];
  const nowMs = clock.nowMs();
  const wallMs = clock.wallMs();
  const toWall = (timeMs: number) => wallMs - (nowMs - timeMs);
  return {
    id: config.gateway.id,
    version: gateway.version,
    takenAtMs: wallMs,
    startedAtMs: gateway.startedAtMs,
    pool: {
      segmentBytes: network.segmentBytes,
      total: network.totalSegments,
      free: network.freeSegments,
      lent: network.lentSegments,
      required: network.requiredSegments,
    },
    streams: streams.map((stream) => streamSnapshot(stream, nowMs)),
    lanes: streams.flatMap((stream) => stream.lanes.map((unit) => laneSnapshot(unit, nowMs, toWall))),
    sinks: [...gateway.sinks].map((sink) => sinkSnapshot(sink, streams, nowMs, toWall)),
    ledger: streams.flatMap(ledgerRows),
    tasks: streams.flatMap((stream) => taskSnapshots(stream, nowMs)),
  };
}

/** One row per sink of the stream. */
export function ledgerRows(stream: StreamUnit): LedgerRow[] {
  return stream.config.sinks.map((sink) => {
    const row = {
      accepted: stream.partition.acceptedRecords,
      delivered: 0,
      deadLettered: 0,
      shed: 0,
      inFlight: 0,
    };
    let first = true;
    for (const { lane } of stream.lanes) {
      if (lane.sink !== sink) continue;
      row.delivered += lane.delivered;
      row.deadLettered += lane.deadLettered;
      row.shed += lane.input.shedRecords;
      row.inFlight += lane.input.unsettledRecords;
      // What is in no buffer yet belongs to no writer yet.
      if (first) row.inFlight += stream.partition.openRecords(lane.input.lane);
      first = false;
    }
    return { stream: stream.name, sink, spooled: 0, ...row };
  });
}

function streamSnapshot(stream: StreamUnit, nowMs: number): StreamSnapshot {
  const { pool, partition, admission, door, config } = stream;
  const quota = admission.quota;
  return {
    name: stream.name,
    ack: config.ack,
    sinks: config.sinks,
    bestEffort: config.bestEffort,
    pool: {
      min: pool.minSegments,
      max: pool.maxSegments,
      size: pool.size,
      lent: pool.lentSegments,
      idle: pool.idleSegments,
      overdraft: pool.overdraftSegments,
      available: pool.isAvailable,
    },
    acceptedRecords: partition.acceptedRecords,
    acceptedBytes: partition.acceptedBytes,
    rejectedRecords: door.rejectedRecords,
    requests: Object.fromEntries(door.requests),
    openBodies: door.active.size,
    waiters: admission.waiters,
    quotaTokens: quota === null ? null : levels(quota.tokens(nowMs)),
    recordsPerSecond: door.recordRate.rate(nowMs),
    bytesPerSecond: door.byteRate.rate(nowMs),
  };
}

function laneSnapshot(
  { lane, plan, credits }: LaneUnit,
  nowMs: number,
  toWall: (ms: number) => number,
): LaneSnapshot {
  const oldestMs = lane.oldestMs;
  return {
    stream: lane.stream,
    sink: lane.sink,
    writer: lane.writer,
    credits: credits(),
    maxCredits: plan.credits,
    backlogBuffers: lane.input.queue.backlog,
    heldBuffers: lane.input.held - lane.input.queue.backlog,
    unsettledRecords: lane.input.unsettledRecords,
    inFlightBatches: lane.inFlight,
    retryingRecords: lane.retryingRecords,
    oldestRecordAtMs: oldestMs === null ? null : toWall(oldestMs),
    recordsPerSecond: lane.recordRate.rate(nowMs),
    deliverySeconds: lane.deliverySeconds.snapshot(),
  };
}

function sinkSnapshot(
  sink: SinkUnit,
  streams: readonly StreamUnit[],
  nowMs: number,
  toWall: (ms: number) => number,
): SinkSnapshot {
  const { gate, config } = sink;
  const lanes = streams.flatMap((stream) => stream.lanes).filter((unit) => unit.sink === sink).map((
    { lane },
  ) => lane);
  const state = gate.state;
  return {
    name: sink.name,
    type: config.type,
    state,
    reason: state === "up"
      ? null
      : state === "paused"
      ? "paused by an operator"
      : gate.reason || "no answer yet",
    stateSinceAtMs: toWall(gate.stateSinceMs),
    writers: sink.writers.length,
    controller: config.control.kind,
    inFlightBatches: gate.inFlight,
    inFlightLimit: gate.inFlightLimit,
    limit: fromLimits(gate.limits),
    tokens: levels(gate.tokens()),
    throttledUntilAtMs: gate.throttleUntilMs > nowMs ? toWall(gate.throttleUntilMs) : null,
    throttleSecondsTotal: gate.throttleSeconds,
    lastSuccessAtMs: gate.lastSuccessMs < 0 ? null : toWall(gate.lastSuccessMs),
    deliveredRecords: gate.totals.delivered,
    deadLetteredRecords: gate.totals.deadLettered,
    shedRecords: lanes.reduce((sum, lane) => sum + lane.input.shedRecords, 0),
    rejectedRecords: gate.totals.rejected,
    retriedRecords: gate.totals.retried,
    recordsPerSecond: lanes.reduce((sum, lane) => sum + lane.recordRate.rate(nowMs), 0),
    bytesPerSecond: lanes.reduce((sum, lane) => sum + lane.drain.rate(nowMs), 0),
    writeSeconds: gate.writeSeconds.snapshot(),
  };
}

function taskSnapshots(stream: StreamUnit, nowMs: number): TaskSnapshot[] {
  const lanes = stream.lanes.map(({ lane }, index): TaskSnapshot => ({
    task: `lane/${stream.name}/${lane.sink}/${lane.writer}`,
    stream: stream.name,
    sink: lane.sink,
    writer: lane.writer,
    downstream: [],
    totals: stream.laneTimes[index].totals(nowMs),
    perSecond: stream.laneTimes[index].perSecond(nowMs),
  }));
  return [{
    task: `ingress/${stream.name}`,
    stream: stream.name,
    sink: null,
    writer: null,
    downstream: lanes.map(({ task }) => task),
    totals: stream.ingressTime.totals(nowMs),
    perSecond: stream.ingressTime.perSecond(nowMs),
  }, ...lanes];
}

function levels(tokens: { records: number; bytes: number } | null): TokenLevels | null {
  if (tokens === null) return null;
  return {
    records: Number.isFinite(tokens.records) ? tokens.records : null,
    bytes: Number.isFinite(tokens.bytes) ? tokens.bytes : null,
  };
}
