/** A quota as clients read it. @module */
import { assertEquals } from "@std/assert";
import { rateLimitFields } from "../../src/ingress/rate_limit_fields.ts";
import { TokenBucket } from "../../src/limit/token_bucket.ts";

Deno.test("rateLimitFields() tells what is left of each limit that there is, and when it is full again", () => {
  const quota = new TokenBucket({ recordsPerSecond: 10, burstRecords: 50, bytesPerSecond: 1_000 }, 0);
  quota.take(20, 300, 0);
  const fields = rateLimitFields(quota, 0);
  assertEquals(fields.filter((_, i) => i % 2 === 0), ["RateLimit-Policy", "RateLimit"]);
  const [policy, state] = fields.filter((_, i) => i % 2 === 1).map((field) => field.split(", "));
  assertEquals(policy[0], '"records";q=50;w=5;qu="requests"');
  assertEquals(state[0], '"records";r=30;t=2');
  assertEquals(policy[1].startsWith('"bytes";'), true);
  const records = rateLimitFields(new TokenBucket({ recordsPerSecond: 10, burstRecords: 50 }, 0), 0);
  assertEquals(records[1], '"records";q=50;w=5;qu="requests"');
});
