/**
 * The state of a stream's quota as clients read it: the fields `RateLimit` and `RateLimit-Policy`
 * (draft-ietf-httpapi-ratelimit-headers).
 *
 * @module
 */
import type { TokenBucket } from "../limit/token_bucket.ts";

/** Both fields for `quota`, name and value in turn. */
export function rateLimitFields(quota: TokenBucket, nowMs: number): readonly string[] {
  const tokens = quota.tokens(nowMs);
  const policies: string[] = [];
  const limits: string[] = [];
  for (
    const [name, unit, max, left, rate] of [
      ["records", "requests", quota.maxRecords, tokens.records, quota.limits.recordsPerSecond],
      ["bytes", "content-bytes", quota.maxBytes, tokens.bytes, quota.limits.bytesPerSecond],
    ] as const
  ) {
    if (rate === undefined) continue;
    const windowSeconds = Math.max(1, Math.ceil(max / rate));
    policies.push(`"${name}";q=${Math.floor(max)};w=${windowSeconds};qu="${unit}"`);
    limits.push(
      `"${name}";r=${Math.max(0, Math.floor(left))};t=${Math.max(0, Math.ceil((max - left) / rate))}`,
    );
  }
  return ["RateLimit-Policy", policies.join(", "), "RateLimit", limits.join(", ")];
}
