/**
 * CPU time per record over the range of shapes that a gateway meets: one connection, many, very many; one stream or
 * two hundred. A structure that is searched, or a timer per connection, shows here. The bare handler under the same
 * connections is told beside it, as part of the spread is the server library's own.
 *
 * @module
 */
import type { RawConfig } from "../../support/gateway_process.ts";
import { jsonRecord } from "../bodies.ts";
import { median, type Side } from "../compare.ts";
import type { BenchOptions, Row } from "../row.ts";
import { gatewaySide, yardstickSide } from "../sides.ts";
import type { Load } from "../wrk.ts";

const STREAMS = 200;
/** With the default of 1 MiB the shares of 200 streams would not fit the pool. */
const MAX_RECORD_BYTES = 4096;

function config(streams: number): RawConfig {
  const names = Array.from({ length: streams }, (_, i) => `s${i}`);
  const stream = { sinks: ["m"], maxRecordBytes: MAX_RECORD_BYTES };
  return {
    streams: Object.fromEntries(names.map((name) => [name, stream])),
    sinks: { m: { type: "memory" } },
  };
}

function load(streams: number, connections: number): Load {
  const requests = Array.from({ length: streams }, (_, i) => ({
    path: `/v1/streams/s${i}`,
    contentType: "application/json",
    body: jsonRecord(1024, i),
  }));
  return { requests, connections };
}

interface Shape {
  readonly name: string;
  readonly side: Side;
  readonly microseconds: number[];
}

/** Median CPU time per request of each shape, in µs; all shapes by turns, the order turned with each round. */
async function spread(
  shapes: Shape[],
  options: BenchOptions,
): Promise<{ worst: number; detail: Record<string, number> }> {
  for (const { side } of shapes) await side.measure(options.sliceSeconds);
  for (let round = 0; round < options.slices; round++) {
    for (const { side, microseconds } of round % 2 === 0 ? shapes : shapes.toReversed()) {
      const slice = await side.measure(options.sliceSeconds);
      microseconds.push(slice.cpuSeconds / slice.work * 1e6);
    }
  }
  const costs = shapes.map((shape) => median(shape.microseconds));
  const detail = Object.fromEntries(
    shapes.map((shape, i) => [`${shape.name} µs`, Math.round(costs[i] * 10) / 10]),
  );
  return { worst: Math.max(...costs) / Math.min(...costs), detail };
}

/** Worst shape over best. */
export const cpuEvenness: Row = {
  name: "cpu-evenness",
  async run(options) {
    await using held = new AsyncDisposableStack();
    const gateway = async (name: string, streams: number, connections: number): Promise<Shape> => ({
      name,
      side: held.use(await gatewaySide(config(streams), load(streams, connections), 1)),
      microseconds: [],
    });
    const bare = async (name: string, connections: number): Promise<Shape> => ({
      name,
      side: held.use(await yardstickSide("accept", load(1, connections), 1)),
      microseconds: [],
    });
    const ours = await spread([
      await gateway("1 connection", 1, 1),
      await gateway("64", 1, 64),
      await gateway("4096", 1, 4096),
      await gateway(`64 to ${STREAMS} streams`, STREAMS, 64),
    ], options);
    const theirs = await spread(
      [await bare("bare 1", 1), await bare("bare 64", 64), await bare("bare 4096", 4096)],
      options,
    );
    return [{
      name: "CPU per record, worst shape over best",
      goal: { kind: "atMost", value: 1.3, unit: "×" },
      value: ours.worst,
      min: ours.worst,
      max: ours.worst,
      samples: options.slices,
      detail: { ...ours.detail, ...theirs.detail, "bare worst/best": Math.round(theirs.worst * 100) / 100 },
    }];
  },
};
