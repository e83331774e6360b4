/**
 * What dead letters may hold. Their pools stand beside the network buffer pool: they are made when memory is short, by
 * sinks that refuse, and must not compete with the records that wait for those sinks. So they are told beside the plan,
 * or nobody would find their memory in it.
 *
 * @module
 */
import { SLOT_BYTES } from "../core/record.ts";
import { largestDeadLetterBytes } from "../lane/dead_letter.ts";
import type { Config } from "./parse.ts";

/** Segments beyond the largest letter: so that small ones flow while a large one is on its way. */
const SPARE_SEGMENTS = 8;

/** The pool for the records that one sink refuses. */
export interface DeadLetterPlan {
  /** Name of the sink that refuses. */
  readonly sink: string;
  /** Name of the sink that its letters go to; null for a file of their own under `dataDir`. */
  readonly target: string | null;
  /** Segments of the pool, touched only when something is refused. */
  readonly segments: number;
}

/** One pool for each sink of `config`, in its order. */
export function planDeadLetters(config: Config): DeadLetterPlan[] {
  return [...config.sinks.values()].map(({ name, deadLetter }) => ({
    sink: name,
    target: deadLetter,
    segments: segmentsFor(largestRecordOf(config, name), config.buffers.segmentBytes),
  }));
}

function largestRecordOf(config: Config, sink: string): number {
  let largest = 0;
  for (const stream of config.streams.values()) {
    if (stream.sinks.includes(sink)) largest = Math.max(largest, stream.maxRecordBytes);
  }
  // A sink of dead letters gets letters, which are larger than what they hold.
  for (const other of config.sinks.values()) {
    if (other.deadLetter === sink) {
      largest = Math.max(largest, largestDeadLetterBytes(largestRecordOf(config, other.name)));
    }
  }
  return largest;
}

function segmentsFor(recordBytes: number, segmentBytes: number): number {
  return Math.ceil(largestDeadLetterBytes(recordBytes) / (segmentBytes - 2 * SLOT_BYTES)) + SPARE_SEGMENTS;
}
