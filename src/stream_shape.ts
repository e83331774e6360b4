/**
 * What a stream's unit is built from, as plain data: two shapes that are equal make the same unit, so a reload leaves
 * it alone. What can change under a running unit (a sink's limit, address or timeouts, a weight) is not in it.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { Config, LanePlan, SegmentPlan, SinkConfig, StreamConfig, StreamPlan } from "./config.ts";

/** The shape of one lane. */
export interface LaneShape {
  /** Its credits and its queue. */
  readonly plan: LanePlan;
  /** What it takes over from its sink for good. */
  readonly sink: Pick<SinkConfig, "parallelism" | "order" | "whenFull" | "batch" | "retry">;
}

/** The shape of one stream. */
export interface StreamShape {
  /** Its config. */
  readonly config: StreamConfig;
  /** Its share of memory. */
  readonly plan: StreamPlan;
  /** Its lanes, in their order. */
  readonly lanes: readonly LaneShape[];
  /** Largest record that every sink can ever take, bytes. */
  readonly maxRecordBytes: number;
}

/** The shape of stream `name`. */
export function streamShape(name: string, config: Config, plan: SegmentPlan): StreamShape {
  const stream = config.streams.get(name)!;
  const sinks = stream.sinks.map((sink) => config.sinks.get(sink)!);
  return {
    config: stream,
    plan: plan.streams.find((share) => share.stream === name)!,
    lanes: plan.lanes.filter((lane) => lane.stream === name).map((lane) => {
      const { parallelism, order, whenFull, batch, retry } = config.sinks.get(lane.sink)!;
      return { plan: lane, sink: { parallelism, order, whenFull, batch, retry } };
    }),
    maxRecordBytes: largestRecordBytes(stream, sinks),
  };
}

/** Whether both make the same unit. */
export function sameShape(a: StreamShape, b: StreamShape): boolean {
  return isDeepStrictEqual(a, b);
}

/** A record that can never pass a sink's byte limit is refused at the door: behind it, it could only wait for ever. */
function largestRecordBytes(stream: StreamConfig, sinks: readonly SinkConfig[]): number {
  let largest = stream.maxRecordBytes;
  for (const { limit, batch } of sinks) {
    largest = Math.min(largest, Math.max(1, (limit?.burstBytes ?? Infinity) - batch.framingBytes));
  }
  return largest;
}
