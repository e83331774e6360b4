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
import type { GatewaySnapshot, SinkSnapshot, TaskSnapshot } from "./monitor/view.ts";
import type { SinkUnit } from "./sink_unit.ts";
import { laneSnapshots, ledgerRows, streamSnapshot, tokenLevels } from "./stream_snapshot.ts";
import type { StreamUnit } from "./stream_unit.ts";
import type { Units } from "./units.ts";

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
  /** What runs. */
  readonly units: Units;
}

/** Takes it. */
export function takeSnapshot(gateway: Observed): GatewaySnapshot {
  const { network, clock, config, units } = gateway;
  const streams = units.byStream();
  const nowMs = clock.nowMs();
  const wallMs = clock.wallMs();
  const toWall = (timeMs: number) => wallMs - (nowMs - timeMs);
  const allStreams = units.allStreams();
  const live = [...units.streams.values()];
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
    lanes: streams.flatMap((stream) => laneSnapshots(stream, nowMs, toWall)),
    sinks: [...units.sinks.values()].map((sink) => sinkSnapshot(sink, allStreams, live, nowMs, toWall)),
    ledger: streams.flatMap(ledgerRows),
    tasks: streams.flatMap(({ units: [stream] }) => taskSnapshots(stream, nowMs)),
    draining: units.retirement.report(toWall),
    sources: units.sources.snapshot(),
  };
}

function sinkSnapshot(
  sink: SinkUnit,
  streams: readonly StreamUnit[],
  live: readonly StreamUnit[],
  nowMs: number,
  toWall: (ms: number) => number,
): SinkSnapshot {
  const { gate, config } = sink;
  const lanes = streams.flatMap((stream) => stream.lanes)
    .filter((unit) => unit.sink === sink && !unit.closed).map(({ lane }) => lane);
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
    source: sourceSnapshot(sink, live),
    limit: fromLimits(gate.limits),
    tokens: tokenLevels(gate.tokens()),
    throttledUntilAtMs: gate.throttleUntilMs > nowMs ? toWall(gate.throttleUntilMs) : null,
    refusedWrites: gate.account.refusedWrites,
    throttleSecondsTotal: gate.account.throttleSeconds,
    lastSuccessAtMs: gate.lastSuccessMs < 0 ? null : toWall(gate.lastSuccessMs),
    deliveredRecords: gate.account.totals.delivered,
    deadLetteredRecords: gate.account.totals.deadLettered,
    shedRecords: lanes.reduce((sum, lane) => sum + lane.input.shedRecords, gate.account.totals.shed),
    lostRecords: gate.account.totals.lost,
    rejectedRecords: gate.account.totals.rejected,
    retriedRecords: gate.account.totals.retried,
    answeredRecords: sink.answers.snapshot(),
    recordsPerSecond: lanes.reduce((sum, lane) => sum + lane.delivery.recordRate.rate(nowMs), 0),
    bytesPerSecond: lanes.reduce((sum, lane) => sum + lane.delivery.byteRate.rate(nowMs), 0),
    writeSeconds: gate.account.writeSeconds.snapshot(),
  };
}

function sourceSnapshot({ name, source }: SinkUnit, live: readonly StreamUnit[]): SinkSnapshot["source"] {
  if (source === null) return null;
  const closedStreams = live.filter((stream) => stream.source.waitMsFor(name) > 0).map((stream) =>
    stream.name
  );
  return { closedStreams, recordsPerSecond: source.recordsPerSecond };
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
