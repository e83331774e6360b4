/**
 * The search sink: a whole gateway, from HTTP to the cluster, against programs that have their documents at hand. On a
 * real node, which is the limit then; on a target that takes everything at once, where the sides are; and what the
 * static limit costs that is never reached.
 *
 * @module
 */
import { SearchIndex } from "../../adapters/search_index.ts";
import { startOpenSearch } from "../../services/opensearch.ts";
import { freePort } from "../../support/ports.ts";
import { compare, type Comparison, type Side } from "../compare.ts";
import type { BenchOptions, Goal, Result, Row } from "../row.ts";
import { GatewaySearchSide, LoaderSide } from "../search_sides.ts";
import { startYardstick } from "../sides.ts";

/** A node collects garbage and merges for half a second at a time, which slices of one second would be about. */
const NODE_SLICE_SECONDS = 3;
const INDEX = "bench";
const NODE = {
  heapMiB: 1024,
  // By default a node counts garbage as memory in use, and refuses a loader for what it has not collected yet.
  settings: { "indices.breaker.total.use_real_memory": "false" },
};

interface Place {
  readonly cluster: string;
  readonly index: string;
}

async function atNode(run: (place: Place) => Promise<Result>): Promise<Result[]> {
  await using node = await startOpenSearch(NODE);
  await using index = await SearchIndex.create(node.url);
  return [await run({ cluster: node.url, index: index.name })];
}

async function atTarget(run: (place: Place) => Promise<Result>): Promise<Result[]> {
  const port = freePort();
  await using _ = await startYardstick("bulk_target", port);
  return [await run({ cluster: `http://127.0.0.1:${port}`, index: INDEX })];
}

async function against(
  { cluster, index }: Place,
  yardstick: () => Promise<Side>,
  options: BenchOptions,
  sink: Readonly<Record<string, unknown>> = {},
): Promise<Comparison> {
  await using subject = await GatewaySearchSide.start(cluster, index, sink);
  await using other = await yardstick();
  return await compare(subject, other, options);
}

function ratioOf(name: string, leastRatio: number, comparison: Comparison, samples: number): Result {
  const goal: Goal = { kind: "atLeast", value: leastRatio, unit: "×" };
  const { ratio, perCpuRatio, min, max, subjectPerSecond, yardstickPerSecond } = comparison;
  return {
    name,
    goal,
    value: ratio,
    perCpu: perCpuRatio,
    min,
    max,
    samples,
    detail: {
      "documents/s": Math.round(subjectPerSecond),
      "yardstick documents/s": Math.round(yardstickPerSecond),
    },
  };
}

const atSlices = (options: BenchOptions): BenchOptions => ({ ...options, sliceSeconds: NODE_SLICE_SECONDS });

/** All of them. */
export const searchRows: readonly Row[] = [
  {
    name: "search-node",
    run: (options) =>
      atNode(async (place) => {
        const loader = () => LoaderSide.start("bulk_loader", place.cluster, place.index);
        const comparison = await against(place, loader, atSlices(options));
        return ratioOf(
          "documents into OpenSearch, 300 B, against a loader",
          0.95,
          comparison,
          options.slices,
        );
      }),
  },
  {
    name: "search-target",
    run: (options) =>
      atTarget(async (place) => {
        const loader = () => LoaderSide.start("bulk_loader", place.cluster, place.index);
        const comparison = await against(place, loader, options);
        return ratioOf("the same into a target that answers at once", 0.8, comparison, options.slices);
      }),
  },
  {
    name: "search-cpu",
    run: (options) =>
      atNode(async (place) => {
        const client = () => LoaderSide.start("bulk_client", place.cluster, place.index);
        const comparison = await against(place, client, atSlices(options));
        return {
          ...ratioOf("CPU per document, against OpenSearch's own client", 0, comparison, options.slices),
          goal: { kind: "atMost", value: 0.8, unit: "×" },
          value: 1 / comparison.perCpuRatio,
          perCpu: undefined,
          min: 1 / comparison.maxPerCpu,
          max: 1 / comparison.minPerCpu,
        };
      }),
  },
  {
    name: "search-bucket",
    run: (options) =>
      atTarget(async (place) => {
        const unlimited = () => GatewaySearchSide.start(place.cluster, place.index);
        const limit = { recordsPerSecond: 1e9, bytesPerSecond: 1e12 };
        const comparison = await against(place, unlimited, options, { limit });
        return ratioOf("a limit far above the flow, against none", 0.98, comparison, options.slices);
      }),
  },
];
