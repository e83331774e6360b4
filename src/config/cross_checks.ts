/**
 * What one key alone cannot tell: that names refer to something, and that promises do not contradict each other.
 *
 * @module
 */
import { brokenRule } from "./faults.ts";
import { nearestKey } from "./nearest_key.ts";
import type { SinkConfig } from "./sink_schema.ts";
import type { SourceConfig } from "./source_schema.ts";
import type { StreamConfig } from "./stream_schema.ts";

/**
 * Faults between streams and sinks. `streams` and `sinks` hold those that are right in themselves; `sinkNames` also
 * those that are not, so that a fault inside a sink is not told a second time as a sink that does not exist.
 */
export function crossFaults(
  streams: ReadonlyMap<string, StreamConfig>,
  sinks: ReadonlyMap<string, SinkConfig>,
  sinkNames: ReadonlySet<string>,
): string[] {
  return [
    ...[...streams.values()].flatMap((stream) => streamFaults(stream, sinks, sinkNames)),
    ...[...sinks.values()].flatMap((sink) => sinkFaults(sink, streams, sinkNames)),
    ...deadLetterCycles(sinks),
  ];
}

/** Faults between sources and streams; `streamNames` holds also those of streams that are wrong in themselves. */
export function sourceFaults(
  sources: ReadonlyMap<string, SourceConfig>,
  streamNames: readonly string[],
): string[] {
  return [...sources.values()].filter(({ stream }) => !streamNames.includes(stream)).map(
    ({ name, stream }) => {
      const nearest = nearestKey(stream, streamNames);
      const hint = nearest === null ? "" : `; the nearest is "${nearest}"`;
      return brokenRule(["sources", name, "stream"], "must be the name of a stream", stream) + hint;
    },
  );
}

function streamFaults(
  stream: StreamConfig,
  sinks: ReadonlyMap<string, SinkConfig>,
  sinkNames: ReadonlySet<string>,
): string[] {
  const path = ["streams", stream.name];
  const faults: string[] = [];
  stream.sinks.forEach((name, i) => {
    const at = [...path, "sinks", i];
    if (!sinkNames.has(name)) faults.push(noSuchSink(at, name, sinkNames));
    if (stream.sinks.indexOf(name) !== i) faults.push(brokenRule(at, "must name each sink once", name));
    if (stream.ack !== "delivered" || stream.bestEffort.includes(name)) return;
    if (sinks.get(name)?.whenFull === "shed") {
      faults.push(
        `${brokenRule(at, "must not be a sink that sheds, as ack: delivered waits for it", name)}; ` +
          `name it in streams.${stream.name}.bestEffort, or set ack: memory, or sinks.${name}.whenFull: block`,
      );
    }
  });
  stream.bestEffort.forEach((name, i) => {
    if (stream.sinks.includes(name)) return;
    faults.push(
      brokenRule([...path, "bestEffort", i], `must be among the stream's sinks (${stream.sinks})`, name),
    );
  });
  return faults;
}

function sinkFaults(
  sink: SinkConfig,
  streams: ReadonlyMap<string, StreamConfig>,
  sinkNames: ReadonlySet<string>,
): string[] {
  const faults: string[] = [];
  for (const [stream, weight] of sink.weights) {
    if (streams.get(stream)?.sinks.includes(sink.name)) continue;
    faults.push(
      brokenRule(["sinks", sink.name, "weight", stream], "must be for a stream that uses the sink", weight),
    );
  }
  if (sink.deadLetter !== null && !sinkNames.has(sink.deadLetter)) {
    faults.push(noSuchSink(["sinks", sink.name, "deadLetter"], sink.deadLetter, sinkNames));
  }
  return faults;
}

function noSuchSink(path: readonly PropertyKey[], name: string, sinkNames: ReadonlySet<string>): string {
  const nearest = nearestKey(name, [...sinkNames]);
  const hint = nearest === null ? "" : `; the nearest is "${nearest}"`;
  return brokenRule(path, "must be the name of a sink", name) + hint;
}

/** A record that every sink of a cycle rejects would go round for ever. Each cycle is told once, at its first sink. */
function deadLetterCycles(sinks: ReadonlyMap<string, SinkConfig>): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const start of sinks.keys()) {
    const trail: string[] = [];
    let at: string | null = start;
    while (at !== null && !seen.has(at)) {
      seen.add(at);
      trail.push(at);
      at = sinks.get(at)?.deadLetter ?? null;
    }
    const from = at === null ? -1 : trail.indexOf(at);
    if (from < 0) continue;
    const cycle = [...trail.slice(from), trail[from]];
    faults.push(
      `sinks.${cycle[0]}.deadLetter: dead letters must not go in a circle, but go ${cycle.join(" → ")}; ` +
        `send one of them to another sink, or leave its deadLetter out`,
    );
  }
  return faults;
}
