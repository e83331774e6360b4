/** Configs of a simulation: small pools, several streams and sinks, every policy, as a seed says. @module */
import { type Config, draftSegments, parseConfig } from "../../src/config.ts";
import type { SinkDefinition } from "../../src/sink/adapter.ts";
import type { Chance } from "./chance.ts";

/** Where dead letters end; it never rejects. */
export const LAST_SINK = "letters";

type Raw = Record<string, unknown>;

/** A config of chance; `kind` is the scripted sink, `dataDir` a folder. */
export function makeConfig(chance: Chance, kind: SinkDefinition, dataDir: string): Config {
  const large = chance.happens(0.03);
  const sinkNames = ["a", "b", "c"].slice(0, chance.whole(1, 3));
  const sinks: Record<string, Raw> = {};
  for (const name of sinkNames) sinks[name] = makeSink(chance, name, sinkNames);
  sinks[LAST_SINK] = {
    type: "sim",
    batch: { maxRecords: 50, maxBytes: 20_000, lingerMs: chance.pick([0, 5]) },
    retry: { initialMs: 10, maxMs: 200 },
    timeoutMs: 500,
    order: chance.pick(["none", "key"]),
  };
  const streams: Record<string, Raw> = {};
  for (const name of ["s", "t", "u"].slice(0, chance.whole(1, 3))) {
    streams[name] = makeStream(chance, sinkNames, sinks, large);
  }
  const parsed = parseConfig(
    {
      gateway: { id: "sim", dataDir, drainMs: chance.pick([500, 5_000]) },
      buffers: {
        segmentBytes: large ? 32_768 : 4096,
        segments: 4096,
        exclusivePerLane: chance.whole(0, 2),
        floatingPerLane: chance.whole(1, 4),
        maxPerLane: chance.whole(1, 16),
      },
      streams,
      sinks,
    },
    [kind],
    { hostname: () => "sim" },
  );
  const least = draftSegments(parsed).totalGuaranteed;
  const segments = least + (large ? 64 : chance.whole(0, 24));
  return { ...parsed, buffers: { ...parsed.buffers, segments } };
}

function makeSink(chance: Chance, name: string, names: readonly string[]): Raw {
  const later = names.filter((other) => other > name);
  const order = chance.pick(["none", "key", "key", "strict"]);
  return {
    type: "sim",
    writesInFlight: chance.whole(1, 4),
    framingBytes: chance.whole(0, 20),
    order,
    whenFull: chance.pick(["block", "block", "shed"]),
    parallelism: chance.pick([1, 1, 2, 3]),
    weight: chance.pick([1, 1, 3]),
    control: {
      kind: chance.pick(["static", "static", "aimd", "arc", "gradient", "pid", "watermark"]),
      initial: chance.whole(1, 4),
      minRecordsPerSecond: chance.pick([1, 100]),
    },
    batch: {
      maxRecords: chance.pick([1, 5, 40]),
      maxBytes: chance.pick([600, 3000, 9000]),
      lingerMs: chance.pick([0, 0, 5, 30]),
    },
    retry: {
      initialMs: chance.pick([1, 20]),
      maxMs: chance.pick([20, 300]),
      maxAttempts: chance.pick([0, 0, 3]),
    },
    timeoutMs: chance.pick([50, 400, 3000]),
    downAfterMs: chance.pick([100, 1000, 5000]),
    deadLetter: later.length > 0 && chance.happens(0.2) ? chance.pick(later) : LAST_SINK,
    ...(chance.happens(0.4) ? { limit: makeLimit(chance) } : {}),
  };
}

/** A limit that lets every record, and every dead letter of one, pass. */
export function makeLimit(chance: Chance): Raw {
  const records = chance.happens(0.7)
    ? { recordsPerSecond: chance.pick([50, 400, 2000]), burstRecords: chance.pick([1, 10, 100]) }
    : {};
  const bytes = chance.happens(0.4) || !("recordsPerSecond" in records)
    ? { bytesPerSecond: chance.pick([20_000, 200_000]), burstBytes: chance.pick([50_000, 100_000]) }
    : {};
  return { ...records, ...bytes };
}

function makeStream(
  chance: Chance,
  names: readonly string[],
  sinks: Record<string, Raw>,
  large: boolean,
): Raw {
  const own = names.filter(() => chance.happens(0.6));
  if (own.length === 0) own.push(chance.pick(names));
  const ack = chance.pick(["memory", "delivered", "delivered"]);
  const bestEffort = own.filter((name) =>
    ack === "delivered" && (sinks[name].whenFull === "shed" || chance.happens(0.15))
  );
  const maxRecordBytes = large ? 20_000 : chance.pick([200, 1500, 6000]);
  const keyed = chance.happens(0.5);
  return {
    sinks: own,
    ack,
    bestEffort: bestEffort.length === own.length
      ? bestEffort.slice(sheds(bestEffort, sinks) ? 0 : 1)
      : bestEffort,
    validate: chance.pick(["json", "none"]),
    maxRecordBytes,
    maxBodyBytes: large ? 4_000_000 : chance.pick([20_000, 60_000]),
    maxWaitMs: chance.pick([0, 20, 500]),
    maxWaiters: chance.pick([0, 2, 50]),
    maxStallMs: chance.pick([50, 2000]),
    deliverTimeoutMs: chance.pick([40, 1000, 5000]),
    ...(keyed ? { key: "/k" } : {}),
    ...(chance.happens(0.2) ? { limit: makeLimit(chance) } : {}),
  };
}

function sheds(names: readonly string[], sinks: Record<string, Raw>): boolean {
  return names.some((name) => sinks[name].whenFull === "shed");
}
