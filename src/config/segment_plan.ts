/**
 * How the network buffer pool is promised: which stream is guaranteed how many segments, and how many credits each
 * lane has.
 *
 * Only the streams' minimums sum against the pool. Credits are permits and take no second segment: a segment stays
 * charged to its stream until the last lane has settled it. They are raised where needed, because a lane whose credits
 * do not cover its writes in flight could never fill a batch, and one that cannot hold the largest record would stop.
 *
 * @module
 */
import { ConfigError } from "../core/errors.ts";
import { MAX_KEY_BYTES, META_WORDS, SLOT_BYTES } from "../core/record.ts";
import type { WriteControl, WriteControlKind } from "../limit/controllers.ts";
import { MAX_LANES } from "../partition/result_partition.ts";
import { type DeadLetterPlan, planDeadLetters } from "./dead_letter_plan.ts";
import type { BuffersConfig } from "./sections.ts";
import type { Config } from "./parse.ts";
import type { SinkConfig } from "./sink_schema.ts";
import type { StreamConfig } from "./stream_schema.ts";

/** A lane: the path from one stream to one writer of one sink. */
export interface LanePlan {
  /** Name of the stream. */
  readonly stream: string;
  /** Name of the sink. */
  readonly sink: string;
  /** 0 to `parallelism - 1`. */
  readonly writer: number;
  /** Segments that the stream's minimum counts for this lane: 1, or 0 where a configured minimum is too small for it. */
  readonly guaranteed: number;
  /** Credits that the lane always has. */
  readonly exclusive: number;
  /** Credits that it may have by backlog. */
  readonly floating: number;
  /** Both together. */
  readonly credits: number;
  /** Queue limit in buffers. */
  readonly maxBuffers: number;
}

/** A stream's share of the pool. */
export interface StreamPlan {
  /** Name of the stream. */
  readonly stream: string;
  /** Segments that its largest record takes. */
  readonly recordSegments: number;
  /** Guaranteed segments. */
  readonly minSegments: number;
  /** Most segments that it may hold. */
  readonly maxSegments: number;
  /** Number of its lanes. */
  readonly lanes: number;
}

/** The whole plan. It fits when `totalGuaranteed <= segments`. */
export interface SegmentPlan {
  /** Lanes, stream by stream, in the order of the config. */
  readonly lanes: readonly LanePlan[];
  /** Streams in the order of the config. */
  readonly streams: readonly StreamPlan[];
  /** Sum of the streams' guaranteed segments. */
  readonly totalGuaranteed: number;
  /** Segments of the pool. */
  readonly segments: number;
  /** The pools of dead letters, which stand beside it. */
  readonly deadLetters: readonly DeadLetterPlan[];
}

/**
 * The plan for `config`.
 *
 * @throws {ConfigError} when the guaranteed segments do not fit the pool, or a stream cannot have what it needs.
 */
export function planSegments(config: Config): SegmentPlan {
  const plan = draftSegments(config);
  const faults = planFaults(plan, config);
  if (faults.length > 0) throw new ConfigError(faults);
  return plan;
}

/** The plan as it would be, also when it does not fit; for those who show it. */
export function draftSegments(config: Config): SegmentPlan {
  const { buffers } = config;
  const streams: StreamPlan[] = [];
  const lanes: LanePlan[] = [];
  for (const stream of config.streams.values()) {
    const sinks = stream.sinks.map((name) => config.sinks.get(name)!);
    const laneCount = sinks.reduce((sum, sink) => sum + sink.parallelism, 0);
    const recordSegments = segmentsOfRecord(stream.maxRecordBytes, buffers.segmentBytes);
    const minSegments = stream.minSegments ?? recordSegments + laneCount + 1;
    const maxSegments = stream.maxSegments ?? buffers.segments;
    streams.push({ stream: stream.name, recordSegments, minSegments, maxSegments, lanes: laneCount });
    for (const sink of sinks) {
      const shape = laneShape(stream, sink, buffers);
      const guaranteed = minSegments > laneCount ? 1 : 0;
      for (let writer = 0; writer < sink.parallelism; writer++) {
        lanes.push({ stream: stream.name, sink: sink.name, writer, guaranteed, ...shape });
      }
    }
  }
  const totalGuaranteed = streams.reduce((sum, stream) => sum + stream.minSegments, 0);
  const deadLetters = planDeadLetters(config);
  return { lanes, streams, totalGuaranteed, segments: buffers.segments, deadLetters };
}

/** Record bytes that a segment holds beside one slot and one plain meta. */
export function segmentPayloadBytes(segmentBytes: number): number {
  return segmentBytes - SLOT_BYTES - META_WORDS * 4;
}

/** Segments that a record of `recordBytes` takes at most, with its LF and the longest key behind it. */
export function segmentsOfRecord(recordBytes: number, segmentBytes: number): number {
  return Math.ceil((recordBytes + 1 + MAX_KEY_BYTES) / segmentPayloadBytes(segmentBytes));
}

/** Writes that one lane of `sink` may have in flight. */
export function writesInFlight(sink: SinkConfig): number {
  const { initial, max } = sink.control;
  const kind = writeControlKind(sink);
  return sink.order === "strict" ? 1 : Math.min(sink.batch.writesInFlight, kind === "static" ? initial : max);
}

/** The controller of the writes in flight of `sink`; one that learns gets bounds that all writers together can reach. */
export function writeControl(sink: SinkConfig): WriteControl {
  const { initial, min, max } = sink.control;
  const kind = writeControlKind(sink);
  if (kind === "static") return { kind, initial, min, max };
  const most = Math.min(max, writesInFlight(sink) * sink.parallelism);
  return { kind, initial: Math.min(initial, most), min: Math.min(min, most), max: most };
}

/** A controller of the source leaves the writes in flight as they are. */
function writeControlKind({ control: { kind } }: SinkConfig): WriteControlKind {
  return kind === "pid" || kind === "watermark" ? "static" : kind;
}

function laneShape(
  stream: StreamConfig,
  sink: SinkConfig,
  buffers: BuffersConfig,
): { exclusive: number; floating: number; credits: number; maxBuffers: number } {
  // A batch rarely begins where a segment begins: one more for the part before.
  const batchSegments = Math.ceil(sink.batch.maxBytes / segmentPayloadBytes(buffers.segmentBytes)) + 1;
  const credits = Math.max(
    buffers.exclusivePerLane + buffers.floatingPerLane,
    batchSegments * writesInFlight(sink),
    segmentsOfRecord(stream.maxRecordBytes, buffers.segmentBytes) + 1,
  );
  return {
    exclusive: buffers.exclusivePerLane,
    floating: credits - buffers.exclusivePerLane,
    credits,
    maxBuffers: Math.max(buffers.maxPerLane, 2 * credits),
  };
}

function planFaults(plan: SegmentPlan, config: Config): string[] {
  const faults: string[] = [];
  for (const { stream, minSegments, maxSegments, recordSegments, lanes } of plan.streams) {
    if (minSegments > maxSegments && config.streams.get(stream)?.maxSegments !== null) {
      faults.push(
        `streams.${stream}.maxSegments: must be at least minSegments, which is ${minSegments} ` +
          `(${recordSegments} for one record of maxRecordBytes, ${lanes} for lanes, 1 more), but is ${maxSegments}; ` +
          `raise it, or lower maxRecordBytes, or set minSegments`,
      );
    }
    if (lanes > MAX_LANES) {
      faults.push(
        `streams.${stream}.sinks: must make at most ${MAX_LANES} lanes, a sink counting as many as its parallelism, ` +
          `but make ${lanes}; lower parallelism, or split the stream`,
      );
    }
    if (maxSegments > plan.segments) {
      faults.push(
        `streams.${stream}.maxSegments: must be at most buffers.segments, which is ${plan.segments}, ` +
          `but is ${maxSegments}`,
      );
    }
  }
  if (plan.totalGuaranteed > plan.segments) {
    const sum = plan.streams.map(({ stream, minSegments }) => `${stream} ${minSegments}`).join(" + ");
    faults.push(
      `buffers.segments: must hold the guaranteed segments of all streams, ${plan.totalGuaranteed} (${sum}), ` +
        `but is ${plan.segments}; the smallest buffers.segments that would do is ${plan.totalGuaranteed}`,
    );
  }
  return faults;
}
