/**
 * Prometheus text. Metrics hold no numbers of their own: a scrape takes one snapshot of the gateway and every family
 * reads that, so that counting costs the hot path nothing and the families of one scrape fit each other.
 *
 * prom-client keeps the registry, the escaping and the number format; its `Counter` and `Histogram` count by
 * themselves, which would be a second account beside the gateway's.
 *
 * @module
 */
import { type Metric, Registry } from "prom-client";
import type { HistogramSnapshot } from "./histogram.ts";
import { gatewayMetrics, processMetrics } from "./gateway_metrics.ts";
import type { Family, Labels, ScrapeInput } from "./metric_family.ts";
import type { ProcessSnapshot } from "./process_probe.ts";
import { sinkMetrics } from "./sink_metrics.ts";
import { sourceMetrics } from "./source_metrics.ts";
import { laneMetrics, streamMetrics } from "./stream_metrics.ts";
import type { GatewayView } from "./view.ts";

/** What {@linkcode createMetrics} reads. */
export interface MetricsOptions {
  /** The gateway. */
  readonly view: Pick<GatewayView, "snapshot" | "state">;
  /** The process; without it there are no `process_*` metrics. */
  readonly process?: () => ProcessSnapshot;
}

/** The page at `/metrics`. */
export interface Metrics {
  /** Value for `Content-Type`. */
  readonly contentType: string;
  /** Takes a snapshot and writes it in the text format 0.0.4. */
  render(): Promise<string>;
}

const FAMILIES: readonly Family[] = [
  ...gatewayMetrics,
  ...streamMetrics,
  ...laneMetrics,
  ...sinkMetrics,
  ...sourceMetrics,
  ...processMetrics,
];

/** All metrics of a gateway, in a registry of their own: several gateways may live in one process. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  let input: ScrapeInput | null = null;
  for (const family of FAMILIES) registry.registerMetric(asMetric(family, () => input!));
  return {
    contentType: registry.contentType,
    render(): Promise<string> {
      input = {
        state: options.view.state(),
        gateway: options.view.snapshot(),
        process: options.process?.() ?? null,
      };
      // The registry reads every family before it yields, so two scrapes at once cannot mix their snapshots.
      return registry.metrics();
    },
  };
}

interface Sample {
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

function asMetric(family: Family, input: () => ScrapeInput): Metric<string> {
  const metric = {
    name: family.name,
    help: family.help,
    type: family.type,
    // prom-client's `Metric` type lists its own classes; its registry asks for a name and for this.
    get: () =>
      Promise.resolve({
        name: family.name,
        help: family.help,
        type: family.type,
        values: samples(family, input()),
      }),
  };
  return metric as unknown as Metric<string>;
}

function samples(family: Family, input: ScrapeInput): Sample[] {
  const out: Sample[] = [];
  if (family.type === "histogram") {
    family.collect(input, (labels, histogram) => histogramSamples(out, family.name, labels, histogram));
  } else {
    family.collect(input, (labels, value) => out.push({ labels, value }));
  }
  return out;
}

function histogramSamples(out: Sample[], name: string, labels: Labels, histogram: HistogramSnapshot): void {
  let cumulated = 0;
  histogram.bounds.forEach((bound, i) => {
    cumulated += histogram.counts[i];
    out.push({ metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: cumulated });
  });
  out.push({ metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: histogram.count });
  out.push({ metricName: `${name}_sum`, labels, value: histogram.sum });
  out.push({ metricName: `${name}_count`, labels, value: histogram.count });
}
