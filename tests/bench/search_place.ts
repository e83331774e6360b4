/**
 * Where the search sink is measured: a real node, which is the limit then, or a target that takes everything at once,
 * where the sides are.
 *
 * @module
 */
import { SearchIndex } from "../adapters/search_index.ts";
import { startOpenSearch } from "../services/opensearch.ts";
import { freePort } from "../support/ports.ts";
import { compare, type Comparison, type Side } from "./compare.ts";
import type { BenchOptions } from "./row.ts";
import { GatewaySearchSide } from "./search_sides.ts";
import { startYardstick } from "./sides.ts";

/** A node collects garbage and merges for half a second at a time, which slices of one second would be about. */
const NODE_SLICE_SECONDS = 3;
/** By default a node counts garbage as memory in use, and refuses a loader for what it has not collected yet. */
const CALM_BREAKER = { "indices.breaker.total.use_real_memory": "false" };

/** An index of a cluster. */
export interface Place {
  readonly cluster: string;
  readonly index: string;
}

/** Measures at a real node, with these settings beside. */
export async function atNode<T>(
  run: (place: Place) => Promise<T>,
  settings: Readonly<Record<string, string>> = {},
): Promise<T> {
  await using node = await startOpenSearch({ heapMiB: 1024, settings: { ...CALM_BREAKER, ...settings } });
  await using index = await SearchIndex.create(node.url);
  return await run({ cluster: node.url, index: index.name });
}

/** Measures at the target. */
export async function atTarget<T>(run: (place: Place) => Promise<T>): Promise<T> {
  const port = freePort();
  await using _ = await startYardstick("bulk_target", port);
  return await run({ cluster: `http://127.0.0.1:${port}`, index: "bench" });
}

/** `options` with slices as a node wants them. */
export function atSlices(options: BenchOptions): BenchOptions {
  return { ...options, sliceSeconds: NODE_SLICE_SECONDS };
}

/** Compares the gateway, with further options of its sink, to `yardstick`. */
export async function against(
  { cluster, index }: Place,
  yardstick: () => Promise<Side>,
  options: BenchOptions,
  sink: Readonly<Record<string, unknown>> = {},
): Promise<Comparison> {
  await using subject = await GatewaySearchSide.start(cluster, index, sink);
  await using other = await yardstick();
  return await compare(subject, other, options);
}
