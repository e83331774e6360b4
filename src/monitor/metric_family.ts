/**
 * What one metric is: name, meaning, and where its numbers come from. Names follow Prometheus: base units, `_total`
 * on counters, and label values that can be added up without counting anything twice.
 *
 * @module
 */
import type { HistogramSnapshot } from "./histogram.ts";
import type { ProcessSnapshot } from "./process_probe.ts";
import type { GatewaySnapshot, GatewayState, SinkSnapshot, StreamSnapshot, TokenLevels } from "./view.ts";

/** Everything that one scrape reads. */
export interface ScrapeInput {
  /** Where the gateway stands. */
  readonly state: GatewayState;
  /** The gateway. */
  readonly gateway: GatewaySnapshot;
  /** The process, where it is watched. */
  readonly process: ProcessSnapshot | null;
}

/** Label values by label name. */
export type Labels = Readonly<Record<string, string | number>>;

/** Puts one series on the page; each set of labels may come only once. */
export type Emit<Value> = (labels: Labels, value: Value) => void;

/** One metric with all its series. */
export type Family =
  & {
    /** Metric name. */
    readonly name: string;
    /** One sentence for people. */
    readonly help: string;
  }
  & ({
    /** A single number per series. */
    readonly type: "counter" | "gauge";
    /** Emits every series. */
    collect(input: ScrapeInput, emit: Emit<number>): void;
  } | {
    /** Buckets, sum and count per series. */
    readonly type: "histogram";
    /** Emits every series. */
    collect(input: ScrapeInput, emit: Emit<HistogramSnapshot>): void;
  });

/** A metric with one number per stream. */
export function perStream(
  name: string,
  type: "counter" | "gauge",
  help: string,
  value: (stream: StreamSnapshot) => number,
): Family {
  return {
    name,
    help,
    type,
    collect({ gateway }, emit) {
      for (const stream of gateway.streams) emit({ stream: stream.name }, value(stream));
    },
  };
}

/** A metric with one number per sink; null leaves the sink out. */
export function perSink(
  name: string,
  type: "counter" | "gauge",
  help: string,
  value: (sink: SinkSnapshot) => number | null,
): Family {
  return {
    name,
    help,
    type,
    collect({ gateway }, emit) {
      for (const sink of gateway.sinks) {
        const number = value(sink);
        if (number !== null) emit({ sink: sink.name }, number);
      }
    },
  };
}

/** Emits tokens with a label `unit`, where the unit is limited. */
export function emitTokens(labels: Labels, tokens: TokenLevels | null, emit: Emit<number>): void {
  if (tokens === null) return;
  if (tokens.records !== null) emit({ ...labels, unit: "records" }, tokens.records);
  if (tokens.bytes !== null) emit({ ...labels, unit: "bytes" }, tokens.bytes);
}
