/**
 * A stream: a named door for records, the sinks that they go to, and what its clients may rely on.
 *
 * @module
 */
import { z } from "zod";
import { POINTER, POINTER_RULE } from "../core/json_pointer.ts";
import { between, choice, matching, reference, spanMs, whole, yielding } from "./fields.ts";
import { effectiveLimit, type LimitConfig, limitSchema } from "./limit_schema.ts";

/** Segment chains are addressed with 32-bit offsets; a record or body stays far below. */
const MAX_BYTES = 1_073_741_824;

const sinkList = z.array(reference("sink"), { error: "must be a list of sink names" });

/** Schema of `streams.NAME`. */
export const streamSchema = z.strictObject({
  sinks: sinkList.min(1, { error: "must name at least one sink" }).describe(
    "Sinks; every record goes to each",
  ),
  ack: choice(["memory", "delivered"], ["disk"]).default("delivered")
    .describe("When a request is answered: records are in memory (202), or delivered (200)"),
  bestEffort: sinkList.default([]).describe("Sinks that an ack does not wait for"),
  validate: choice(["json", "none"]).default("json").describe("Whether a record must be JSON"),
  key: matching(POINTER, POINTER_RULE).optional().describe(
    "JSON pointer to a record's key; the header X-Weir-Key and ?key= win over it",
  ),
  headers: z.array(
    matching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "must be the name of an HTTP header"),
    { error: "must be a list of HTTP header names" },
  ).default([]).describe("Request headers kept with the record"),
  origins: z.array(
    matching(
      /^(\*|[a-z][a-z0-9+.-]*:\/\/[^/\s]+)$/i,
      'must be "*" or an origin, as "https://app.example.com"',
    ),
    { error: "must be a list of origins" },
  ).default([]).describe(
    "Origins of web pages that may connect by WebSocket, beside pages of this host; * is all",
  ),
  maxRecordBytes: yielding(whole(1, MAX_BYTES), 1_048_576, "Largest record"),
  maxBodyBytes: whole(1, MAX_BYTES).default(33_554_432).describe("Largest request body, decoded"),
  maxWaitMs: spanMs(0).default(1000).describe(
    "How long a request may wait for buffers, first come first served",
  ),
  maxWaiters: whole(0, 1_000_000).default(1024).describe("Requests that may wait at once"),
  maxStallMs: spanMs().default(10_000).describe(
    "A streamed body that gets no buffer for so long ends with 429",
  ),
  deliverTimeoutMs: spanMs().default(30_000).describe("ack delivered: no outcome by then is answered 504"),
  minSegments: whole(1).optional()
    .describe("Guaranteed share of the pool; one largest record + one per lane + 1 when not set"),
  maxSegments: whole(1).optional().describe("Largest share of the pool; all of it when not set"),
  limit: limitSchema.optional().describe("Ingress quota of the stream; above it, 429"),
}).transform((stream) => ({
  ...stream,
  maxRecordBytes: stream.maxRecordBytes ?? Math.min(1_048_576, stream.maxBodyBytes),
})).refine(
  (stream) => stream.maxRecordBytes <= stream.maxBodyBytes,
  between<StreamConfig>(({ maxRecordBytes, maxBodyBytes }) =>
    `maxRecordBytes (${maxRecordBytes}) must not be larger than maxBodyBytes (${maxBodyBytes})`
  ),
).refine(
  ({ minSegments = 1, maxSegments = minSegments }) => minSegments <= maxSegments,
  between<StreamConfig>(({ minSegments, maxSegments }) =>
    `minSegments (${minSegments}) must not be larger than maxSegments (${maxSegments})`
  ),
);

/** A stream, with every default in its place. */
export interface StreamConfig {
  /** Name in the path `/v1/streams/{name}`. */
  readonly name: string;
  /** Names of the sinks, each once. */
  readonly sinks: readonly string[];
  /** When a request is answered. */
  readonly ack: "memory" | "delivered";
  /** Sinks that an ack does not wait for; a subset of `sinks`. */
  readonly bestEffort: readonly string[];
  /** Whether a record must be JSON. */
  readonly validate: "json" | "none";
  /** JSON pointer to the key, or null. */
  readonly key: string | null;
  /** Names of the request headers kept with a record, in lower case. */
  readonly headers: readonly string[];
  /** Origins of web pages that may connect by WebSocket; `*` is all. */
  readonly origins: readonly string[];
  /** Largest record, bytes. */
  readonly maxRecordBytes: number;
  /** Largest decoded body, bytes. */
  readonly maxBodyBytes: number;
  /** Longest wait for buffers, ms. */
  readonly maxWaitMs: number;
  /** Requests that may wait at once. */
  readonly maxWaiters: number;
  /** Longest stall of a streamed body, ms. */
  readonly maxStallMs: number;
  /** Longest wait for delivery, ms. */
  readonly deliverTimeoutMs: number;
  /** Guaranteed segments as configured, or null for what `planSegments` finds. */
  readonly minSegments: number | null;
  /** Most segments, or null for the whole pool. */
  readonly maxSegments: number | null;
  /** Ingress quota, or null for none. */
  readonly limit: LimitConfig | null;
}

/** The stream `name` of what {@linkcode streamSchema} gave. */
export function toStreamConfig(name: string, parsed: z.output<typeof streamSchema>): StreamConfig {
  return {
    ...parsed,
    name,
    key: parsed.key ?? null,
    headers: parsed.headers.map((header) => header.toLowerCase()),
    minSegments: parsed.minSegments ?? null,
    maxSegments: parsed.maxSegments ?? null,
    limit: effectiveLimit(parsed.limit),
  };
}
