/**
 * The search sink: a whole gateway, from HTTP to the cluster, against programs that have their documents at hand, and
 * what the static limit costs that is never reached.
 *
 * @module
 */
import type { Row } from "../row.ts";
import { against, atNode, atSlices, atTarget, ratioOf } from "../search_place.ts";
import { GatewaySearchSide, LoaderSide } from "../search_sides.ts";

/** All of them. */
export const searchRows: readonly Row[] = [
  {
    name: "search-node",
    run: (options) =>
      atNode(async (place) => {
        const loader = () => LoaderSide.start("bulk_loader", place.cluster, place.index);
        const comparison = await against(place, loader, atSlices(options));
        return [
          ratioOf("documents into OpenSearch, 300 B, against a loader", 0.95, comparison, options.slices),
        ];
      }),
  },
  {
    name: "search-target",
    run: (options) =>
      atTarget(async (place) => {
        const loader = () => LoaderSide.start("bulk_loader", place.cluster, place.index);
        const comparison = await against(place, loader, options);
        return [ratioOf("the same into a target that answers at once", 0.8, comparison, options.slices)];
      }),
  },
  {
    name: "search-cpu",
    run: (options) =>
      atNode(async (place) => {
        const client = () => LoaderSide.start("bulk_client", place.cluster, place.index);
        const comparison = await against(place, client, atSlices(options));
        return [{
          ...ratioOf("CPU per document, against OpenSearch's own client", 0, comparison, options.slices),
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
        return [ratioOf("a limit far above the flow, against none", 0.98, comparison, options.slices)];
      }),
  },
];
