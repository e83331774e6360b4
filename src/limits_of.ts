/** Limits as the config writes them (null for none), as the bucket takes them (absent), and back. @module */
import type { LimitConfig } from "./config.ts";
import type { Limits } from "./limit/token_bucket.ts";

/** For the bucket. */
export function toLimits(limit: LimitConfig | null): Limits {
  const limits: Record<string, number> = {};
  for (const [name, value] of Object.entries(limit ?? {})) if (value !== null) limits[name] = value;
  return limits as Limits;
}

/** For those who look; null when nothing is limited. */
export function fromLimits(limits: Limits): LimitConfig | null {
  if (limits.recordsPerSecond === undefined && limits.bytesPerSecond === undefined) return null;
  return {
    recordsPerSecond: limits.recordsPerSecond ?? null,
    bytesPerSecond: limits.bytesPerSecond ?? null,
    burstRecords: limits.burstRecords ?? null,
    burstBytes: limits.burstBytes ?? null,
  };
}
