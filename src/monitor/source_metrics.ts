/** Metrics of sources, and of the partitions that they read. @module */
import type { Family } from "./metric_family.ts";
import type { KafkaSourceSnapshot } from "./view.ts";

/** In the order of the page. */
export const sourceMetrics: readonly Family[] = [
  {
    name: "weir_source_records_total",
    help: "Records fetched by a source: taken into its stream, or refused by it and sent to a dead letter.",
    type: "counter",
    collect({ gateway }, emit) {
      for (const source of gateway.sources) {
        emit({ source: source.name, outcome: "taken" }, source.takenRecords);
        emit({ source: source.name, outcome: "refused" }, source.refusedRecords);
      }
    },
  },
  perSource(
    "weir_source_offset_resets_total",
    "counter",
    "Times that a partition was read on from its first record, as the broker did not have the next one.",
    (source) => source.offsetResets,
  ),
  perSource(
    "weir_source_up",
    "gauge",
    "1 while the source is in its group, its topics are there and its brokers answer.",
    (source) => source.state === "up" ? 1 : 0,
  ),
  perSource(
    "weir_source_partitions",
    "gauge",
    "Partitions that are read.",
    (source) => source.partitions.length,
  ),
  perSource(
    "weir_source_paused_partitions",
    "gauge",
    "Partitions that are not fetched for want of room, quota or outcomes.",
    (source) => source.partitions.filter(({ paused }) => paused).length,
  ),
  perSource(
    "weir_source_lag_records",
    "gauge",
    "Records behind the committed offsets, as of the last fetches.",
    (source) => source.partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
  ),
];

function perSource(
  name: string,
  type: "counter" | "gauge",
  help: string,
  value: (source: KafkaSourceSnapshot) => number,
): Family {
  return {
    name,
    help,
    type,
    collect({ gateway }, emit) {
      for (const source of gateway.sources) emit({ source: source.name }, value(source));
    },
  };
}
