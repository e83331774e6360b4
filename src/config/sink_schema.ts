/**
 * What every sink has beside its own options: limits, batching, order, retry, and what happens when it cannot keep
 * up. The options themselves are parsed by the schema of the sink's definition.
 *
 * @module
 */
import { z } from "zod";
import { WRITE_CONTROL_KINDS, type WriteControlKind } from "../limit/controllers.ts";
import type { SinkDefinition, SinkHints } from "../sink/adapter.ts";
import { MAX_AMOUNT } from "../limit/allowance.ts";
import { between, choice, positive, reference, spanMs, text, whole, yielding } from "./fields.ts";
import { effectiveLimit, type LimitConfig, limitSchema } from "./limit_schema.ts";

/** Schema of `sinks.NAME.control`. */
const controlSchema = z.strictObject({
  kind: choice([...WRITE_CONTROL_KINDS, "pid", "watermark"]).default("static").describe(
    "What bounds the writes in flight: static, or by what the sink takes aimd, arc, gradient; or the source: pid, watermark",
  ),
  initial: yielding(whole(1, 65_536), 4, "Writes in flight at the start; with static, always"),
  min: whole(1, 65_536).default(1).describe("Fewest writes in flight"),
  max: yielding(whole(1, 65_536), 32, "Most writes in flight"),
  minRecordsPerSecond: positive(MAX_AMOUNT).default(100).describe(
    "pid: lowest rate at which the sink's streams may bring records",
  ),
  highMark: positive(1).default(0.9).describe(
    "watermark: a stream stops above this part of its lane's queue",
  ),
  lowMark: positive(1).default(0.4).describe("watermark: and goes on below this part of it"),
}).transform(({ initial, min, max, ...control }) => {
  const most = max ?? Math.max(32, initial ?? 0, min);
  return { ...control, initial: initial ?? Math.max(min, Math.min(4, most)), min, max: most };
}).refine(
  (control) => control.min <= control.initial && control.initial <= control.max,
  between<SinkConfig["control"]>(({ min, initial, max }) =>
    `min (${min}), initial (${initial}) and max (${max}) must stand in this order`
  ),
).refine(
  (control) => control.lowMark < control.highMark,
  between<SinkConfig["control"]>(({ lowMark, highMark }) =>
    `lowMark (${lowMark}) must be below highMark (${highMark})`
  ),
);

const batchSchema = z.strictObject({
  maxRecords: whole(1).optional().describe("Records per batch; the sink's own hint when not set"),
  maxBytes: whole(1).optional().describe("Encoded bytes per batch; the sink's own hint when not set"),
  lingerMs: spanMs(0).optional().describe(
    "How long a batch waits for more; the sink's own hint when not set",
  ),
});

const retrySchema = z.strictObject({
  initialMs: yielding(spanMs(), 100, "Pause before the first retry; it doubles from there"),
  maxMs: spanMs().default(10_000).describe("Longest pause"),
  maxAttempts: whole(0).default(0).describe("Writes of a record in all; 0: as long as it may still succeed"),
}).transform((retry) => ({ ...retry, initialMs: retry.initialMs ?? Math.min(100, retry.maxMs) })).refine(
  (retry) => retry.initialMs <= retry.maxMs,
  between<SinkConfig["retry"]>(({ initialMs, maxMs }) =>
    `initialMs (${initialMs}) must not be longer than maxMs (${maxMs})`
  ),
);

const WEIGHT_RULE = "must be a whole number from 1 to 1000, or such a number for each stream";
const weightNumber = whole(1, 1000);

/** Schema of what every sink has. */
export const commonSinkSchema = z.strictObject({
  type: text().describe("Kind of sink, or a path to a module: ./my_sink.ts"),
  limit: limitSchema.optional().describe("Token bucket before the sink, retries included"),
  control: controlSchema.prefault({}).describe("Bound of the writes in flight, or of the source"),
  batch: batchSchema.prefault({}).describe("Batch shape"),
  parallelism: whole(1, 64).default(1).describe("Writers, and lanes per stream; the key's hash chooses"),
  weight: z.union([weightNumber, z.record(z.string(), weightNumber)], { error: WEIGHT_RULE }).default(1)
    .describe("Shares of a sink that several streams use: one number, or { stream: weight }"),
  order: choice(["none", "key", "strict"]).default("key")
    .describe("none; key: a key's records in order; strict: one write in flight"),
  whenFull: choice(["block", "shed"], ["spill"]).default("block")
    .describe("A full lane blocks its stream, or sheds new records and tells the client"),
  downAfterMs: spanMs().default(5000).describe(
    "This long without a success while trying: the sink counts as down",
  ),
  timeoutMs: spanMs().default(30_000).describe("Deadline of one write"),
  retry: retrySchema.prefault({}).describe("Retries"),
  deadLetter: reference("sink").optional()
    .describe("Sink for records that this one will never take; a file under dataDir when not set"),
});

/** Keys that every sink has; all others are its options. */
export const COMMON_SINK_KEYS: readonly string[] = Object.keys(commonSinkSchema.shape);

/** A sink, with every default in its place. */
export interface SinkConfig {
  /** Name in the config. */
  readonly name: string;
  /** Name of the kind, or the path of its module as it stands in the config. */
  readonly type: string;
  /** The kind itself: `definition.open(options, context)` opens the sink. */
  readonly definition: SinkDefinition;
  /** The sink's own options, as its schema gave them. */
  readonly options: unknown;
  /** Token bucket, or null for none. */
  readonly limit: LimitConfig | null;
  /** Bound of the writes in flight, `min <= initial <= max`, or of what the streams bring. */
  readonly control: {
    readonly kind: WriteControlKind | "pid" | "watermark";
    readonly initial: number;
    readonly min: number;
    readonly max: number;
    /** With `pid`: the lowest rate that it sets. */
    readonly minRecordsPerSecond: number;
    /** With `watermark`: a stream stops above this part of its lane's queue. */
    readonly highMark: number;
    /** With `watermark`: it goes on below this part. */
    readonly lowMark: number;
  };
  /** The sink's hints, with the keys of `batch` laid over them. */
  readonly batch: SinkHints;
  /** Writers. */
  readonly parallelism: number;
  /** Share of each stream that uses the sink, by the stream's name. */
  readonly weights: ReadonlyMap<string, number>;
  /** Order that the sink keeps. */
  readonly order: "none" | "key" | "strict";
  /** What a full lane does. */
  readonly whenFull: "block" | "shed";
  /** This long without a success while trying, ms, and the sink counts as down. */
  readonly downAfterMs: number;
  /** Deadline of one write, ms. */
  readonly timeoutMs: number;
  /** Pauses in ms; `maxAttempts` 0 is without end. */
  readonly retry: { readonly initialMs: number; readonly maxMs: number; readonly maxAttempts: number };
  /** Name of the sink for records that this one will never take, or null for a file under `gateway.dataDir`. */
  readonly deadLetter: string | null;
}

/** The sink `name`, used by `streams`, of what {@linkcode commonSinkSchema} and the definition's schema gave. */
export function toSinkConfig(
  name: string,
  parsed: z.output<typeof commonSinkSchema>,
  definition: SinkDefinition,
  options: unknown,
  streams: readonly string[],
): SinkConfig {
  const { weight, batch, limit, deadLetter, ...rest } = parsed;
  const hints = definition.hints(options);
  const named = typeof weight === "number" ? [] : Object.keys(weight);
  const weightOf = (stream: string): number => {
    if (typeof weight === "number") return weight;
    return Object.hasOwn(weight, stream) ? weight[stream] : 1;
  };
  return {
    ...rest,
    name,
    definition,
    options,
    limit: effectiveLimit(limit),
    batch: {
      ...hints,
      maxRecords: batch.maxRecords ?? hints.maxRecords,
      maxBytes: batch.maxBytes ?? hints.maxBytes,
      lingerMs: batch.lingerMs ?? hints.lingerMs,
    },
    weights: new Map([...streams, ...named].map((stream) => [stream, weightOf(stream)])),
    deadLetter: deadLetter ?? null,
  };
}
