/**
 * The body of `PUT /api/v1/sinks/{name}/limit`. It is the whole limit, as PUT replaces: a rate that is left out or
 * null is not limited, and `null` as the body takes the limit away.
 *
 * @module
 */
import { z } from "zod";
import type { RateLimit } from "../monitor/view.ts";

/** A rate of 0 would hold every lane for ever without saying so; pausing the sink says so. */
const rate = z.number("must be a number, or null for no limit").positive(
  "must be above 0; to stop the sink, pause it",
).nullable().default(null);
const burst = z.number("must be a whole number").int("must be a whole number").min(1, "must be at least 1")
  .nullable().default(null);

const limitSchema = z.strictObject({
  recordsPerSecond: rate,
  bytesPerSecond: rate,
  burstRecords: burst,
  burstBytes: burst,
}, {
  error: (issue) =>
    issue.code === "unrecognized_keys"
      ? `unknown key ${
        issue.keys?.map((key) => JSON.stringify(key)).join(", ")
      }; known are recordsPerSecond, bytesPerSecond, burstRecords, burstBytes`
      : "must be a JSON object, or null for no limit",
}).refine((limit) => limit.burstRecords === null || limit.recordsPerSecond !== null, {
  path: ["burstRecords"],
  message: "needs recordsPerSecond",
}).refine((limit) => limit.burstBytes === null || limit.bytesPerSecond !== null, {
  path: ["burstBytes"],
  message: "needs bytesPerSecond",
});

/** A limit, or what is wrong with it: one line a fault, each with its path. */
export type ParsedLimit =
  | { readonly kind: "limit"; readonly limit: RateLimit | null }
  | { readonly kind: "faulty"; readonly faults: readonly string[] };

/** Reads the body. A limit that limits nothing is none. */
export function parseLimit(text: string): ParsedLimit {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    return { kind: "faulty", faults: [`body: must be JSON: ${(error as SyntaxError).message}`] };
  }
  const parsed = limitSchema.nullable().safeParse(body);
  if (!parsed.success) {
    return {
      kind: "faulty",
      faults: parsed.error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`),
    };
  }
  const limit = parsed.data;
  const limits = limit !== null && (limit.recordsPerSecond !== null || limit.bytesPerSecond !== null);
  return { kind: "limit", limit: limits ? limit : null };
}
