/**
 * A stream with a sink of its own must not feel that another stream's sink stands still: the same life is run twice,
 * with that sink well and with it stalled, and the neighbour's requests must end alike, to the microsecond.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Config, draftSegments, parseConfig } from "../../src/config.ts";
import type { SinkDefinition } from "../../src/sink/adapter.ts";
import { Chance } from "./chance.ts";
import { LAST_SINK } from "./sim_config.ts";
import { SimWorld } from "./sim_world.ts";
import { Tally } from "./tally.ts";

const SEEDS = Number(Deno.env.get("WEIR_SIM_SEEDS") ?? 1000) / 20;
const LIFE_MS = 2000;
/** Of both streams. */
const OVERDRAFTS = 10;

/** Two streams, each with its own sink and a share of the pool that is its own. */
function neighbours(seed: number, kind: SinkDefinition, dataDir: string): Config {
  const chance = new Chance(seed, "neighbours");
  const stream = (sink: string) => ({
    sinks: [sink],
    ack: chance.pick(["memory", "delivered"]),
    maxRecordBytes: 1500,
    maxBodyBytes: 60_000,
    maxWaitMs: 20,
    deliverTimeoutMs: 300,
    validate: "none",
  });
  const sink = () => ({
    type: "sim",
    batch: { maxRecords: chance.pick([5, 40]), maxBytes: 3000, lingerMs: 0 },
    timeoutMs: chance.pick([100, 60_000]),
    retry: { initialMs: 20, maxMs: 300 },
    deadLetter: LAST_SINK,
  });
  const parsed = parseConfig(
    {
      gateway: { id: "sim", dataDir, drainMs: 500 },
      buffers: { segmentBytes: 4096, segments: 4096 },
      streams: { stalls: stream("a"), flows: stream("b") },
      sinks: { a: sink(), b: sink(), [LAST_SINK]: { type: "sim" } },
    },
    [kind],
    { hostname: () => "sim" },
  );
  // What is left over is for the overdraft of a record that was begun, which would else be taken from a neighbour.
  const plan = draftSegments(parsed);
  const streams = new Map([...parsed.streams].map(([name, config]) => {
    const { minSegments } = plan.streams.find(({ stream }) => stream === name)!;
    return [name, { ...config, maxSegments: minSegments + chance.whole(0, 20) }];
  }));
  const segments = [...streams.values()].reduce((sum, { maxSegments }) => sum + maxSegments, 0) + OVERDRAFTS;
  return { ...parsed, streams, buffers: { ...parsed.buffers, segments } };
}

/** How the requests of stream `flows` ended, in order. */
async function life(
  seed: number,
  stalled: readonly string[],
  dataDir: string,
  tally: Tally,
): Promise<string[]> {
  const world = new SimWorld({
    seed,
    tally,
    dataDir,
    stalled,
    calm: true,
    config: (kind) => neighbours(seed, kind, dataDir),
  });
  await world.open();
  await world.runFor(LIFE_MS);
  const endings = world.ended.filter(({ entry }) => entry.stream === "flows")
    .map(({ ending, gone }) => gone ? "gone" : JSON.stringify(ending));
  await world.stop();
  return endings;
}

Deno.test("Gateway lets no stream feel that another one's sink stands still", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "weir_sim_" });
  const tally = new Tally();
  try {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const well = await life(seed, [], dataDir, tally);
      const stalled = await life(seed, ["a"], dataDir, tally);
      const first = well.findIndex((ending, k) => ending !== stalled[k]);
      assertEquals(
        stalled[first],
        well[first],
        `seed ${seed}: request ${first} of the neighbour ends otherwise`,
      );
      assertEquals(stalled.length, well.length, `seed ${seed}: requests of the neighbour`);
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
  assert(tally.of("answers 429") > 0, "the stalled stream was refused");
});
