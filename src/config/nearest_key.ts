/**
 * A mistyped key is told with the key that was meant. Case, `_` and `-` do not count at first, because the commonest
 * slip is another language's spelling (`max_wait_ms` for `maxWaitMs`).
 *
 * @module
 */

/** The entry of `known` that looks most like `key`, the earlier one of equals; null when `known` is empty. */
export function nearestKey(key: string, known: readonly string[]): string | null {
  let nearest: string | null = null;
  let smallest = Infinity;
  for (const candidate of known) {
    const distance = editDistance(folded(key), folded(candidate)) + (key === candidate ? 0 : 0.5);
    if (distance < smallest) {
      smallest = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, replaced);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}

function folded(key: string): string {
  return key.toLowerCase().replaceAll(/[_-]/g, "");
}
