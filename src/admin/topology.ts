/**
 * The snapshot as the admin API tells it: histograms become a few quantiles, because a person reads this page and a
 * scraper has `/metrics`.
 *
 * @module
 */
import { type HistogramSnapshot, quantile } from "../monitor/histogram.ts";
import type {
  GatewaySnapshot,
  GatewayState,
  LaneSnapshot,
  LedgerRow,
  SinkSnapshot,
} from "../monitor/view.ts";

/** A histogram in short, seconds; null where nothing was observed. */
export interface LatencySummary {
  /** Observations. */
  readonly count: number;
  /** Average. */
  readonly mean: number | null;
  /** Median. */
  readonly p50: number | null;
  /** What one in a hundred exceeds. */
  readonly p99: number | null;
}

/** `T` with the histogram `K` in short. */
export type Summed<T, K extends keyof T> = Omit<T, K> & { readonly [P in K]: LatencySummary };

/** The answer of `GET /api/v1/topology`. */
export type Topology =
  & { readonly state: GatewayState }
  & Pick<
    GatewaySnapshot,
    "id" | "version" | "takenAtMs" | "startedAtMs" | "pool" | "streams" | "draining" | "sources"
  >
  & {
    readonly lanes: readonly Summed<LaneSnapshot, "deliverySeconds">[];
    readonly sinks: readonly Summed<SinkSnapshot, "writeSeconds">[];
  };

/** The answer of `GET /api/v1/ledger`. */
export interface Ledger {
  /** When the rows were read. */
  readonly takenAtMs: number;
  /** Whether every row adds up; false is a bug in Weir. */
  readonly balanced: boolean;
  /** One per stream and sink. */
  readonly rows: readonly (LedgerRow & { readonly balanced: boolean })[];
}

/** Streams, lanes and sinks with rates, pools, credits and backlog. */
export function topology(state: GatewayState, snapshot: GatewaySnapshot): Topology {
  const { id, version, takenAtMs, startedAtMs, pool, streams, draining, sources } = snapshot;
  return {
    state,
    id,
    version,
    takenAtMs,
    startedAtMs,
    pool,
    streams,
    lanes: snapshot.lanes.map((lane) => ({ ...lane, deliverySeconds: summary(lane.deliverySeconds) })),
    sinks: snapshot.sinks.map((sink) => ({ ...sink, writeSeconds: summary(sink.writeSeconds) })),
    draining,
    sources,
  };
}

/** Accepted = delivered + deadLettered + shed + lost + spooled + inFlight, row by row. */
export function ledger({ takenAtMs, ledger }: GatewaySnapshot): Ledger {
  const rows = ledger.map((row) => ({
    ...row,
    balanced: row.accepted ===
      row.delivered + row.deadLettered + row.shed + row.lost + row.spooled + row.inFlight,
  }));
  return { takenAtMs, balanced: rows.every((row) => row.balanced), rows };
}

function summary(histogram: HistogramSnapshot): LatencySummary {
  const { count, sum } = histogram;
  return {
    count,
    mean: count === 0 ? null : sum / count,
    p50: quantile(histogram, 0.5),
    p99: quantile(histogram, 0.99),
  };
}
