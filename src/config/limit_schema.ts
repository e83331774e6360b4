/**
 * A static limit, of a sink (token bucket) or of a stream (ingress quota): the same four keys in both places.
 *
 * @module
 */
import { z } from "zod";
import { MAX_AMOUNT } from "../limit/allowance.ts";
import { toFaults } from "./faults.ts";
import { positive, whole } from "./fields.ts";

/** Schema of `limit`. */
export const limitSchema = z.strictObject({
  recordsPerSecond: positive(MAX_AMOUNT).optional().describe("Records per second, over any time"),
  bytesPerSecond: positive(MAX_AMOUNT).optional().describe("Bytes per second, over any time"),
  burstRecords: whole(1, MAX_AMOUNT).optional().describe(
    "Records that may pass at once; one second's worth when not set",
  ),
  burstBytes: whole(1, MAX_AMOUNT).optional().describe(
    "Bytes that may pass at once; one second's worth when not set",
  ),
}).refine((limit) => limit.recordsPerSecond !== undefined || limit.bytesPerSecond !== undefined, {
  error: "must hold recordsPerSecond, bytesPerSecond or both",
}).refine((limit) => limit.burstRecords === undefined || limit.recordsPerSecond !== undefined, {
  error: "burstRecords needs recordsPerSecond beside it",
}).refine((limit) => limit.burstBytes === undefined || limit.bytesPerSecond !== undefined, {
  error: "burstBytes needs bytesPerSecond beside it",
});

/** A limit with its bursts filled in. A rate and its burst are null together: no limit in that unit. */
export interface LimitConfig {
  /** Records per second. */
  readonly recordsPerSecond: number | null;
  /** Bytes per second. */
  readonly bytesPerSecond: number | null;
  /** Records that may pass at once, at least 1. */
  readonly burstRecords: number | null;
  /** Bytes that may pass at once, at least 1. */
  readonly burstBytes: number | null;
}

/** Fills in the bursts: one second's worth, and at least one whole unit, or nothing would ever pass. */
export function effectiveLimit(limit: z.output<typeof limitSchema> | undefined): LimitConfig | null {
  if (limit === undefined) return null;
  const { recordsPerSecond = null, bytesPerSecond = null } = limit;
  return {
    recordsPerSecond,
    bytesPerSecond,
    burstRecords: recordsPerSecond === null ? null : limit.burstRecords ?? Math.ceil(recordsPerSecond),
    burstBytes: bytesPerSecond === null ? null : limit.burstBytes ?? Math.ceil(bytesPerSecond),
  };
}

/** What is wrong with a `limit` that comes while the gateway runs, a sentence each; null takes the limit away. */
export function limitFaults(limit: LimitConfig | null): string[] {
  const given = Object.fromEntries(Object.entries(limit ?? {}).filter(([, value]) => value !== null));
  if (Object.keys(given).length === 0) return [];
  const { success, error } = limitSchema.safeParse(given);
  return success ? [] : toFaults(error.issues, limitSchema, given, []);
}
