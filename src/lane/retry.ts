/**
 * Backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"): lanes that failed together must
 * not come back together.
 *
 * @module
 */

/** How a lane retries. */
export interface RetryPolicy {
  /** Longest first wait, ms. */
  readonly initialMs: number;
  /** Longest wait, ms. */
  readonly maxMs: number;
  /** Writes of one record at most; 0 for as long as it may still succeed. */
  readonly maxAttempts: number;
}

/** Wait before write number `attempt + 1`, in ms: at least half of the doubled initial wait, so that it is never nothing. */
export function backoffMs(policy: RetryPolicy, attempt: number, random: () => number): number {
  const ceiling = Math.min(policy.maxMs, policy.initialMs * 2 ** Math.min(attempt - 1, 30));
  return ceiling * (0.5 + random() * 0.5);
}
