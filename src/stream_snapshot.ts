/**
 * A stream as plain data: the unit that takes requests, older ones that still deliver, and what those before them
 * counted, told as one. So a reload makes no counter go back, and the ledger adds up over it.
 *
 * @module
 */
import { mergeHistograms } from "./monitor/histogram.ts";
import type { LaneSnapshot, LedgerRow, StreamSnapshot, TokenLevels } from "./monitor/view.ts";
import type { LaneUnit, StreamUnit } from "./stream_unit.ts";
import type { StreamUnits } from "./units.ts";

/** The stream. */
export function streamSnapshot({ units, account }: StreamUnits, nowMs: number): StreamSnapshot {
  const [{ name, pool, admission, config }] = units;
  const quota = admission.quota;
  const sum = (value: (unit: StreamUnit) => number) => units.reduce((total, unit) => total + value(unit), 0);
  return {
    name,
    ack: config.ack,
    sinks: config.sinks,
    bestEffort: config.bestEffort,
    pool: {
      min: sum((unit) => unit.pool.minSegments),
      max: pool.maxSegments,
      size: sum((unit) => unit.pool.size),
      lent: sum((unit) => unit.pool.lentSegments),
      idle: sum((unit) => unit.pool.idleSegments),
      overdraft: sum((unit) => unit.pool.overdraftSegments),
      available: pool.isAvailable,
    },
    acceptedRecords: sum((unit) => unit.partition.acceptedRecords) + (account?.acceptedRecords ?? 0),
    acceptedBytes: sum((unit) => unit.partition.acceptedBytes) + (account?.acceptedBytes ?? 0),
    rejectedRecords: sum((unit) => unit.door.rejectedRecords) + (account?.rejectedRecords ?? 0),
    requests: requestsOf({ units, account }),
    openBodies: sum((unit) => unit.door.active.size),
    waiters: sum((unit) => unit.admission.waiters),
    sockets: sum((unit) => unit.door.sockets.size),
    pausedSockets: sum((unit) => unit.door.pausedSockets),
    quotaTokens: quota === null ? null : tokenLevels(quota.tokens(nowMs)),
    recordsPerSecond: sum((unit) => unit.door.recordRate.rate(nowMs)),
    bytesPerSecond: sum((unit) => unit.door.byteRate.rate(nowMs)),
  };
}

/** One row per sink that the stream's records are, or were, on their way to. */
export function ledgerRows({ units, account }: StreamUnits): LedgerRow[] {
  const sinks = new Set(units.flatMap((unit) => unit.config.sinks));
  return [...sinks].map((sink) => {
    const before = account?.sink(sink);
    const row = {
      accepted: before?.accepted ?? 0,
      delivered: before?.delivered ?? 0,
      deadLettered: before?.deadLettered ?? 0,
      shed: before?.shed ?? 0,
      lost: before?.lost ?? 0,
      inFlight: 0,
    };
    for (const unit of units) addUnit(row, unit, sink);
    return { stream: units[0].name, sink, spooled: 0, ...row };
  });
}

/** The lanes, one per sink and writer. */
export function laneSnapshots(
  { units, account }: StreamUnits,
  nowMs: number,
  toWall: (ms: number) => number,
): LaneSnapshot[] {
  const lanes = units.flatMap((unit) => unit.lanes).filter((lane) => !lane.closed);
  const byWriter = Map.groupBy(lanes, ({ plan }) => JSON.stringify([plan.sink, plan.writer]));
  return [...byWriter.values()].map((same) => {
    const snapshots = same.map((lane) => laneSnapshot(lane, nowMs, toWall));
    const [{ sink, writer }] = snapshots;
    const before = writer === 0 ? account?.sink(sink)?.deliverySeconds ?? null : null;
    const merged = snapshots.reduce(mergeLanes);
    if (before === null) return merged;
    return { ...merged, deliverySeconds: mergeHistograms(merged.deliverySeconds, before) };
  });
}

/** Tokens as they are told: null where a unit is not limited. */
export function tokenLevels(tokens: { records: number; bytes: number } | null): TokenLevels | null {
  if (tokens === null) return null;
  return {
    records: Number.isFinite(tokens.records) ? tokens.records : null,
    bytes: Number.isFinite(tokens.bytes) ? tokens.bytes : null,
  };
}

function requestsOf({ units, account }: StreamUnits): Record<string, number> {
  const requests: Record<string, number> = Object.fromEntries(account?.requests ?? []);
  for (const { door } of units) {
    for (const [status, count] of door.requests) requests[status] = (requests[status] ?? 0) + count;
  }
  return requests;
}

type Counts = { -readonly [K in keyof LedgerRow as LedgerRow[K] extends number ? K : never]: number };

function addUnit(row: Omit<Counts, "spooled">, unit: StreamUnit, sink: string): void {
  if (!unit.config.sinks.includes(sink)) return;
  row.accepted += unit.partition.acceptedRecords;
  let first = true;
  for (const { lane, closed, lostRecords } of unit.lanes) {
    if (lane.sink !== sink) continue;
    row.delivered += lane.delivery.delivered;
    row.deadLettered += lane.delivery.deadLettered;
    row.shed += lane.input.shedRecords;
    row.lost += lostRecords;
    if (!closed) row.inFlight += lane.input.unsettledRecords;
    // What is in no buffer yet belongs to no writer yet.
    if (first) row.inFlight += unit.partition.openRecords(lane.input.lane);
    first = false;
  }
}

function laneSnapshot(unit: LaneUnit, nowMs: number, toWall: (ms: number) => number): LaneSnapshot {
  const { lane, plan } = unit;
  const oldestMs = lane.oldestMs;
  return {
    stream: lane.stream,
    sink: lane.sink,
    writer: lane.writer,
    credits: unit.credits(),
    maxCredits: plan.credits,
    backlogBuffers: lane.input.queue.backlog,
    heldBuffers: lane.input.held - lane.input.queue.backlog,
    unsettledRecords: lane.input.unsettledRecords,
    inFlightBatches: lane.inFlight,
    retryingRecords: lane.retryingRecords,
    oldestRecordAtMs: oldestMs === null ? null : toWall(oldestMs),
    recordsPerSecond: lane.delivery.recordRate.rate(nowMs),
    deliverySeconds: lane.delivery.deliverySeconds.snapshot(),
  };
}

/** An older unit's lane beside that of the newer one. */
function mergeLanes(newer: LaneSnapshot, older: LaneSnapshot): LaneSnapshot {
  const oldest = [newer.oldestRecordAtMs, older.oldestRecordAtMs].filter((atMs) => atMs !== null);
  return {
    ...newer,
    credits: newer.credits + older.credits,
    maxCredits: newer.maxCredits + older.maxCredits,
    backlogBuffers: newer.backlogBuffers + older.backlogBuffers,
    heldBuffers: newer.heldBuffers + older.heldBuffers,
    unsettledRecords: newer.unsettledRecords + older.unsettledRecords,
    inFlightBatches: newer.inFlightBatches + older.inFlightBatches,
    retryingRecords: newer.retryingRecords + older.retryingRecords,
    oldestRecordAtMs: oldest.length === 0 ? null : Math.min(...oldest),
    recordsPerSecond: newer.recordsPerSecond + older.recordsPerSecond,
    deliverySeconds: mergeHistograms(newer.deliverySeconds, older.deliverySeconds),
  };
}
