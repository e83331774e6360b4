/** What a lane is built from. @module */
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { PartitionLane } from "../partition/result_partition.ts";
import type { BatchShape } from "./batcher.ts";
import type { DeadLetter } from "./dead_letter.ts";
import type { RetryPolicy } from "./retry.ts";
import type { SinkWriter } from "./sink_writer.ts";

/** Order that a lane keeps. */
export type LaneOrder = "none" | "key" | "strict";

/** What a lane is made of. */
export interface LaneOptions {
  /** Name of the stream. */
  readonly stream: string;
  /** The stream's end of the lane. */
  readonly input: PartitionLane;
  /** Writer of the sink, from 0. */
  readonly writer: number;
  /** Where batches are written. */
  readonly sinkWriter: SinkWriter;
  /** Order that it keeps. */
  readonly order: LaneOrder;
  /** Whether the sink itself keeps the order of overlapping writes (`SinkHints.inOrder`). */
  readonly inOrder: boolean;
  /** Shape of its batches. */
  readonly shape: BatchShape;
  /** How it retries. */
  readonly retry: RetryPolicy;
  /** The way of the records that the sink rejects. */
  readonly deadLetter: () => DeadLetter;
  /** Time. */
  readonly clock: Clock;
  /** Chance for jitter, 0 to 1. */
  readonly random: () => number;
  /** Log. */
  readonly log: Logger;
  /** What every record id begins with. */
  readonly idPrefix: string;
  /** Gives one credit back to the sender. */
  readonly credit: () => void;
}
