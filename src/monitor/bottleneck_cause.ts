/**
 * Why a task is the bottleneck, in a word for programs and a sentence for people. The checks go from the plainest
 * cause to the vaguest, and the first that holds is told: a sink that is down also has all its writes in flight, but
 * that is no news.
 *
 * @module
 */
import type { GatewaySnapshot, LaneSnapshot, SinkSnapshot, TaskSnapshot } from "./view.ts";

/** What holds a task. */
export type BottleneckCause =
  /** An operator paused the sink. */
  | "sink-paused"
  /** The sink has had no success for `downAfterMs`. */
  | "sink-down"
  /** The sink is not connected yet. */
  | "sink-opening"
  /** The sink asked for a pause. */
  | "sink-throttled"
  /** The sink's static limit is used up. */
  | "rate-limit"
  /** The lane waits for its dead letter. */
  | "dead-letter"
  /** Most keys go to this writer, and the sink's others have time. */
  | "skew"
  /** As many writes are in flight as the controller allows. */
  | "in-flight-limit"
  /** The sink takes less than comes. */
  | "slow-sink"
  /** A controller of the source lets the stream bring nothing to its sink. */
  | "sink-control"
  /** The network pool is used up by other streams. */
  | "network-pool"
  /** The stream's own share of segments is used up. */
  | "stream-pool"
  /** The task itself is at work all the time. */
  | "busy";

/** A cause and its sentence. */
export interface Explanation {
  /** The cause. */
  readonly cause: BottleneckCause;
  /** What is so, for whom, and what would help. */
  readonly sentence: string;
}

/** Why the lane behind `task` takes no more. */
export function explainLane(
  snapshot: GatewaySnapshot,
  task: TaskSnapshot,
  lane: LaneSnapshot,
  sink: SinkSnapshot,
): Explanation {
  const sinkName = `Sink "${sink.name}"`;
  const held = `and ${lane.backlogBuffers + lane.heldBuffers} buffers of stream "${lane.stream}" wait for it`;
  const reason = sink.reason === null ? "" : ` (${sink.reason})`;
  const sinceSeconds = Math.round((snapshot.takenAtMs - sink.stateSinceAtMs) / 1000);
  switch (sink.state) {
    case "paused":
      return { cause: "sink-paused", sentence: `${sinkName} is paused${reason}, ${held}; resume it.` };
    case "down":
      return {
        cause: "sink-down",
        sentence: `${sinkName} has been down for ${sinceSeconds} s${reason}, ${held}.`,
      };
    case "opening":
      return {
        cause: "sink-opening",
        sentence: `${sinkName} has not been connected for ${sinceSeconds} s${reason}, ${held}.`,
      };
    case "up":
      return explainUp(snapshot, task, lane, sink, sinkName, held);
  }
}

function explainUp(
  snapshot: GatewaySnapshot,
  task: TaskSnapshot,
  lane: LaneSnapshot,
  sink: SinkSnapshot,
  sinkName: string,
  held: string,
): Explanation {
  if (task.perSecond.backPressuredMs > 500) {
    return {
      cause: "dead-letter",
      sentence: `The lane to sink "${sink.name}" waits for its dead letter to take ` +
        `what the sink refused, ${held}; look at the dead letter's sink.`,
    };
  }
  if (sink.throttledUntilAtMs !== null && sink.throttledUntilAtMs > snapshot.takenAtMs) {
    const seconds = Math.ceil((sink.throttledUntilAtMs - snapshot.takenAtMs) / 1000);
    return {
      cause: "sink-throttled",
      sentence: `${sinkName} asked for no writes for another ${seconds} s, ${held}.`,
    };
  }
  const rate = bindingLimit(sink);
  if (rate !== null) {
    return {
      cause: "rate-limit",
      sentence: `${sinkName} is held at its limit of ${rate}, ${held}; raise the limit.`,
    };
  }
  if (sink.writers > 1 && othersHaveTime(snapshot, task)) {
    return {
      cause: "skew",
      sentence: `Writer ${lane.writer} of sink "${sink.name}" has most of the work while others of its ` +
        `${sink.writers} writers have time, ${held}; keys are uneven.`,
    };
  }
  if (sink.inFlightLimit !== null && sink.inFlightBatches >= sink.inFlightLimit) {
    return {
      cause: "in-flight-limit",
      sentence: `${sinkName} has ${sink.inFlightBatches} of ${sink.inFlightLimit} writes in flight ` +
        `(control: ${sink.controller}), ${held}.`,
    };
  }
  return {
    cause: "slow-sink",
    sentence:
      `${sinkName} takes ${Math.round(lane.recordsPerSecond)} records/s from stream "${lane.stream}" ` +
      `and no more comes through, ${held}.`,
  };
}

/** Why a stream gets no segment although none of its lanes is at work. */
export function explainIngress(snapshot: GatewaySnapshot, task: TaskSnapshot): Explanation {
  const stream = snapshot.streams.find(({ name }) => name === task.stream);
  const keeper = snapshot.sinks.find(({ source }) => source?.closedStreams.includes(task.stream));
  if (keeper !== undefined && task.perSecond.busyMs <= 500) {
    const rate = keeper.source?.recordsPerSecond ?? null;
    const allows = rate === null ? "" : `, which lets ${Math.round(rate)} records/s of all streams in`;
    return {
      cause: "sink-control",
      sentence:
        `Stream "${task.stream}" is kept out by sink "${keeper.name}" (control: ${keeper.controller})${allows}.`,
    };
  }
  if (stream === undefined || stream.pool.available || task.perSecond.busyMs > 500) {
    return { cause: "busy", sentence: `Task "${task.task}" is at work all the time itself.` };
  }
  const { pool } = stream;
  const own = `stream "${stream.name}" uses ${pool.lent} of its ${pool.size} segments (max ${pool.max})`;
  if (pool.lent < pool.size && snapshot.pool.free === 0) {
    return {
      cause: "network-pool",
      sentence: `All ${snapshot.pool.total} segments are lent while ${own}; raise buffers.segments.`,
    };
  }
  return {
    cause: "stream-pool",
    sentence: `No segment is to be had: ${own}, ${stream.openBodies} unfinished bodies hold a part, ` +
      `and no lane is at work; raise maxSegments or buffers.segments.`,
  };
}

/**
 * The rate that binds, in words. The tokens alone do not tell: they rise until they are enough for the next batch,
 * so a sink that runs at its limit is seen with any number of them.
 */
function bindingLimit({ limit, tokens, recordsPerSecond, bytesPerSecond }: SinkSnapshot): string | null {
  if (limit === null || tokens === null) return null;
  if (binds(limit.recordsPerSecond, tokens.records, recordsPerSecond)) {
    return `${limit.recordsPerSecond} records/s`;
  }
  if (binds(limit.bytesPerSecond, tokens.bytes, bytesPerSecond)) return `${limit.bytesPerSecond} bytes/s`;
  return null;
}

function binds(limit: number | null, tokens: number | null, rate: number): boolean {
  return limit !== null && tokens !== null && (tokens < 1 || rate >= 0.9 * limit);
}

function othersHaveTime(snapshot: GatewaySnapshot, task: TaskSnapshot): boolean {
  return snapshot.tasks.some((other) =>
    other.task !== task.task && other.stream === task.stream && other.sink === task.sink &&
    other.perSecond.idleMs > 500
  );
}
