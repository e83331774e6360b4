/**
 * What a simulation provoked. A run that never ran short of anything proves nothing, so the counts are part of the test.
 *
 * @module
 */

/** What is counted. */
export const PROVOKED = [
  "requests",
  "records",
  "answers 200",
  "answers 202",
  "answers 400",
  "answers 413",
  "answers 429",
  "answers 503",
  "answers 504",
  "clients gone",
  "pauses",
  "give-backs",
  "overdrafts",
  "streamed bodies",
  "retries",
  "throttles",
  "saturations",
  "halvings",
  "writes",
  "writes aborted",
  "unknown outcomes",
  "broken contracts",
  "sheds",
  "dead letters",
  "limit changes",
  "sink pauses",
  "pools opened",
  "drains cut short",
] as const;

/** One of them. */
export type Provoked = typeof PROVOKED[number];

/** Counts, over as many worlds as share it. */
export class Tally {
  readonly #counts: Map<Provoked, number> = new Map(PROVOKED.map((name) => [name, 0]));

  /** `n` more. */
  add(name: Provoked, n = 1): void {
    this.#counts.set(name, this.#counts.get(name)! + n);
  }

  /** How many so far. */
  of(name: Provoked): number {
    return this.#counts.get(name)!;
  }

  /** All of them, as one line. */
  toString(): string {
    return [...this.#counts].map(([name, n]) => `${name} ${n}`).join(", ");
  }
}
