/**
 * A rate divided by weight among those who want of it (max-min fairness): who wants less than its share leaves the
 * rest to the others, so nothing of the rate is idle while someone wants more.
 *
 * @module
 */

/** One who wants a share. */
export interface Claim {
  /** Its weight against the others', above 0. */
  readonly weight: number;
  /** What it wants; Infinity for as much as there is. */
  readonly demand: number;
}

/**
 * The shares of `total`, in the order of `claims`; their sum is `total`. What nobody wants is divided by weight too:
 * who begins to want more need not wait for the next division.
 */
export function weightedShares(total: number, claims: readonly Claim[]): number[] {
  const shares = new Array<number>(claims.length).fill(0);
  const open = new Set(claims.keys());
  let left = total;
  let granted = true;
  while (granted && open.size > 0) {
    granted = false;
    const weights = weightOf(claims, open);
    const perWeight = left / weights;
    for (const k of open) {
      if (claims[k].demand > perWeight * claims[k].weight) continue;
      shares[k] = claims[k].demand;
      left -= shares[k];
      open.delete(k);
      granted = true;
    }
  }
  const rest = open.size > 0 ? open : new Set(claims.keys());
  const weights = weightOf(claims, rest);
  for (const k of rest) shares[k] += left * claims[k].weight / weights;
  return shares;
}

function weightOf(claims: readonly Claim[], of: ReadonlySet<number>): number {
  let sum = 0;
  for (const k of of) sum += claims[k].weight;
  return sum;
}
