/**
 * Who gets how much of the segments that are guaranteed to nobody: Flink's rule up to 1.20, in
 * `NetworkBufferPool.redistributeBuffers`. A pool weighs as much as it could use, so unbounded pools get equal
 * shares and none gets more than its maximum.
 *
 * Flink walks a hash set, so that who gets the odd segment depends on chance; here it is the order of creation.
 *
 * @module
 */

/**
 * Shares `spare` segments among pools that could each use `headrooms[k]` more (Infinity where unbounded).
 * Returns the share of each: at most its headroom, and together as much as there is or can be used.
 */
export function shareOut(spare: number, headrooms: readonly number[]): number[] {
  const caps = headrooms.map((headroom) => Math.min(spare, headroom));
  const usable = caps.reduce((sum, cap) => sum + cap, 0);
  if (usable === 0) return caps;
  const dealt = Math.min(spare, usable);
  let weight = 0;
  let given = 0;
  // Rounding the running sum, not each share, deals every segment and stays within one of the exact share.
  return caps.map((cap) => {
    weight += cap;
    const share = Math.floor(dealt * weight / usable) - given;
    given += share;
    return share;
  });
}
