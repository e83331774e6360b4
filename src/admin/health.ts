/**
 * Health and readiness, part by part. They answer different questions: *health* asks whether a restart would help,
 * and a sink that is down is no reason for one; *readiness* asks whether to send traffic here, and is lost while an
 * ack would have to wait for a sink that does not answer. Full buffers cost no readiness: 429 with Retry-After is
 * the answer to those, and taking a full gateway out of rotation would only move the flood to the next one.
 *
 * @module
 */
import { unreachable } from "../core/assert.ts";
import type {
  DrainingSnapshot,
  GatewaySnapshot,
  GatewayState,
  KafkaSourceSnapshot,
  SinkSnapshot,
  StreamSnapshot,
} from "../monitor/view.ts";

/** One part of the gateway. */
export interface PartHealth {
  /** `gateway`, `pool`, `stream/NAME`, `sink/NAME` or `source/NAME`; with `draining/` before it for what a reload took out. */
  readonly part: string;
  /** The part's own word for where it stands. */
  readonly state: string;
  /** Whether it stands in the way of readiness. */
  readonly ready: boolean;
  /** Why, in words. */
  readonly reason: string;
}

/** The answer of `GET /healthz` and `GET /readyz`. */
export interface HealthReport {
  /** The whole; only `ok` is answered with 200. */
  readonly status: "ok" | "unavailable";
  /** Why it is not `ok`; null when it is. */
  readonly reason: string | null;
  /** Gateway, pool, streams, sinks, sources. */
  readonly parts: readonly PartHealth[];
}

/** Not `ok` only when the gateway has stopped. */
export function health(state: GatewayState, snapshot: GatewaySnapshot): HealthReport {
  const reason = state === "stopped" ? gatewayReason(state) : null;
  return { status: reason === null ? "ok" : "unavailable", reason, parts: partsOf(state, snapshot) };
}

/** Not `ok` while starting, draining or stopped, and while a stream's ack waits for a sink that is down or not connected. */
export function readiness(state: GatewayState, snapshot: GatewaySnapshot): HealthReport {
  const parts = partsOf(state, snapshot);
  const unready = parts.filter((part) => !part.ready);
  if (unready.length === 0) return { status: "ok", reason: null, parts };
  return {
    status: "unavailable",
    reason: unready.map((part) => `${part.part}: ${part.reason}`).join("; "),
    parts,
  };
}

function partsOf(state: GatewayState, snapshot: GatewaySnapshot): PartHealth[] {
  return [
    { part: "gateway", state, ready: state === "running", reason: gatewayReason(state) },
    poolPart(snapshot),
    ...snapshot.streams.map((stream) => streamPart(stream, snapshot)),
    ...snapshot.sinks.map((sink) => sinkPart(sink, snapshot)),
    ...snapshot.sources.map(sourcePart),
    ...snapshot.draining.map((leaving) => drainingPart(leaving, snapshot.takenAtMs)),
  ];
}

function gatewayReason(state: GatewayState): string {
  switch (state) {
    case "starting":
      return "takes no requests yet";
    case "running":
      return "takes requests";
    case "draining":
      return "delivers what it holds and takes no more";
    case "stopped":
      return "has stopped";
    default:
      return unreachable(state);
  }
}

function poolPart({ pool }: GatewaySnapshot): PartHealth {
  const state = pool.free > 0 ? "free" : "exhausted";
  return { part: "pool", state, ready: true, reason: `${pool.free} of ${pool.total} segments are free` };
}

function streamPart(stream: StreamSnapshot, { sinks }: GatewaySnapshot): PartHealth {
  const part = `stream/${stream.name}`;
  const blocking = sinks.filter((sink) => ackWaitsFor(stream, sink) && !mayAck(sink));
  if (blocking.length > 0) {
    const names = blocking.map((sink) => `"${sink.name}" (${sink.state})`).join(", ");
    return { part, state: "blocked", ready: false, reason: `its acks wait for ${names}` };
  }
  const { available, lent, size } = stream.pool;
  return {
    part,
    state: available ? "taking" : "full",
    ready: true,
    reason: `${lent} of ${size} segments are in use`,
  };
}

function sinkPart(sink: SinkSnapshot, { streams }: GatewaySnapshot): PartHealth {
  const waiting = mayAck(sink) ? [] : streams.filter((stream) => ackWaitsFor(stream, sink));
  const own = sink.reason ?? (sink.state === "up" ? "takes records" : "gives no reason");
  const names = waiting.map(({ name }) => `"${name}"`).join(", ");
  return {
    part: `sink/${sink.name}`,
    state: sink.state,
    ready: waiting.length === 0,
    reason: waiting.length === 0 ? own : `${own}; acks of ${names} wait for it`,
  };
}

function ackWaitsFor(stream: StreamSnapshot, sink: SinkSnapshot): boolean {
  return stream.ack === "delivered" && stream.sinks.includes(sink.name) &&
    !stream.bestEffort.includes(sink.name);
}

/** A paused sink is an operator's choice for a while: its streams fill up and answer 429, as is told. */
function mayAck({ state }: SinkSnapshot): boolean {
  return state === "up" || state === "paused";
}

/** A source takes no traffic from anyone: whoever sends here is served also while it is down. */
function sourcePart({ name, state, reason, partitions }: KafkaSourceSnapshot): PartHealth {
  return {
    part: `source/${name}`,
    state,
    ready: true,
    reason: reason ?? `reads ${partitions.length} partitions`,
  };
}

/** What leaves stands in nobody's way: new requests are not for it. */
function drainingPart({ part, why, untilAtMs, records }: DrainingSnapshot, nowMs: number): PartHealth {
  const seconds = Math.max(0, Math.ceil((untilAtMs - nowMs) / 1000));
  const reason =
    `${why} by a reload; ${records} records are not settled, ${seconds} s of its drain time are left`;
  return { part: `draining/${part}`, state: "draining", ready: true, reason };
}
