/**
 * The search sink: a whole gateway, from HTTP to the cluster, against programs that have their documents at hand, and
 * what the static limit costs that is never reached.
 *
 * @module
 */
import { type Comparison, ratioOf } from "../compare.ts";
import type { BenchOptions, Result, Row } from "../row.ts";
import { against, atNode, atSlices, atTarget } from "../search_place.ts";
import { GatewaySearchSide } from "../search_sides.ts";
import { WorkerSide } from "../sides.ts";

function lineOf(comparison: Comparison, name: string, leastRatio: number, { slices }: BenchOptions): Result {
  return ratioOf(comparison, { name, leastRatio, unit: "documents", samples: slices });
}

/** All of them. */
export const searchRows: readonly Row[] = [
  {
    name: "search-node",
    run: (options) =>
      atNode(async (place) => {
        const loader = () => WorkerSide.start("bulk_loader", [place.cluster, place.index]);
        const comparison = await against(place, loader, atSlices(options));
        return [
          lineOf(comparison, "documents into OpenSearch, 300 B, against a loader", 0.95, options),
        ];
      }),
  },
  {
    name: "search-target",
    run: (options) =>
      atTarget(async (place) => {
        const loader = () => WorkerSide.start("bulk_loader", [place.cluster, place.index]);
        const comparison = await against(place, loader, options);
        return [
          lineOf(comparison, "the same into a target that answers at once", 0.8, options),
        ];
      }),
  },
  {
    name: "search-cpu",
    run: (options) =>
      atNode(async (place) => {
        const client = () => WorkerSide.start("bulk_client", [place.cluster, place.index]);
        const comparison = await against(place, client, atSlices(options));
        return [{
          ...lineOf(comparison, "CPU per document, against OpenSearch's own client", 0, options),
          goal: { kind: "atMost", value: 0.8, unit: "×" },
          value: 1 / comparison.perCpuRatio,
          perCpu: undefined,
          min: 1 / comparison.maxPerCpu,
          max: 1 / comparison.minPerCpu,
        }];
      }),
  },
  {
    name: "search-bucket",
    run: (options) =>
      atTarget(async (place) => {
        const unlimited = () => GatewaySearchSide.start(place.cluster, place.index);
        const limit = { recordsPerSecond: 1e9, bytesPerSecond: 1e12 };
        const comparison = await against(place, unlimited, options, { limit });
        return [
          lineOf(comparison, "a limit far above the flow, against none", 0.98, options),
        ];
      }),
  },
];
