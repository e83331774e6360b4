/**
 * A cluster that refuses what is too much for it: what the controllers that find its limit get through, against the
 * fixed number of writes in flight that gets the most through, which nobody knows beforehand.
 *
 * @module
 */
import { median, ratioOf } from "../compare.ts";
import type { BenchOptions, Result, Row } from "../row.ts";
import { against, atNode, atSlices, type Place } from "../search_place.ts";
import { GatewaySearchSide } from "../search_sides.ts";

/** One thread that writes, and so few places before it that the most that may be in flight is already too much. */
const REFUSING = { "thread_pool.write.size": "1", "thread_pool.write.queue_size": "4" };
const FIXED_WRITES = [1, 2, 4, 8, 16];
const SLICES_EACH = 3;
/** Small, so that there are documents for as many writes as the controllers try. */
const BATCH = { maxRecords: 250 };
const CONTROLS = ["arc", "gradient"];

function sideWith(place: Place, control: Readonly<Record<string, unknown>>): Promise<GatewaySearchSide> {
  return GatewaySearchSide.start(place.cluster, place.index, { control, batch: BATCH });
}

const fixed = (writes: number) => ({ kind: "static", initial: writes });

async function bestFixed(place: Place, { sliceSeconds }: BenchOptions): Promise<number> {
  const best = { writes: 0, perSecond: 0 };
  for (const writes of FIXED_WRITES) {
    await using side = await sideWith(place, fixed(writes));
    await side.measure(sliceSeconds);
    const rates: number[] = [];
    for (let slice = 0; slice < SLICES_EACH; slice++) {
      const { work, seconds } = await side.measure(sliceSeconds);
      rates.push(work / seconds);
    }
    const perSecond = median(rates);
    if (perSecond > best.perSecond) Object.assign(best, { writes, perSecond });
  }
  return best.writes;
}

/** One line for each controller. */
export const searchOverload: Row = {
  name: "search-overload",
  run: (options) =>
    atNode(async (place) => {
      const slices = atSlices(options);
      const writes = await bestFixed(place, slices);
      const results: Result[] = [];
      for (const kind of CONTROLS) {
        const best = () => sideWith(place, fixed(writes));
        const comparison = await against(place, best, slices, { control: { kind }, batch: BATCH });
        const name = `cluster overloaded: ${kind}, against the best fixed writes in flight`;
        results.push(ratioOf(comparison, {
          name,
          leastRatio: 0.9,
          unit: "documents",
          samples: options.slices,
          detail: { "best fixed": writes },
        }));
      }
      return results;
    }, REFUSING),
};
