/**
 * What a benchmark says. Absolute figures of a shared machine mean nothing a week later; a row is a ratio to a
 * yardstick that ran beside it, with the goal that it is held against.
 *
 * @module
 */

/** What a value must reach. */
export interface Goal {
  readonly kind: "atLeast" | "atMost";
  readonly value: number;
  /** Behind the number: `×`, `ms`, `MiB`, `s`. */
  readonly unit: string;
}

/** One line of the table. */
export interface Result {
  /** What was measured, in words. */
  readonly name: string;
  readonly goal: Goal;
  /** Held against the goal. For ratios, the median of the pairs. */
  readonly value: number;
  /** The same ratio per CPU-second of the server process, where there is one. */
  readonly perCpu?: number;
  /** Smallest and largest of the values that the median was taken of. */
  readonly min: number;
  readonly max: number;
  /** How many values there were. */
  readonly samples: number;
  /** What else is worth knowing, such as absolute rates. */
  readonly detail: Readonly<Record<string, number | string>>;
}

/** How long to measure. */
export interface BenchOptions {
  /** Slices of each side of a comparison. */
  readonly slices: number;
  /** Length of one slice, in whole seconds: wrk knows no others. */
  readonly sliceSeconds: number;
}

/** One benchmark; it starts its servers, measures and ends them. */
export interface Row {
  /** Short, for `--only`. */
  readonly name: string;
  /** Rejects when it could not be measured; a missed goal is a result. */
  run(options: BenchOptions): Promise<Result[]>;
}

/** Whether `result` reaches its goal. */
export function passes({ goal, value }: Result): boolean {
  return goal.kind === "atLeast" ? value >= goal.value : value <= goal.value;
}

/** The goal as in the table: `≥ 0.85×`. */
export function goalText({ kind, value, unit }: Goal): string {
  return `${kind === "atLeast" ? "≥" : "≤"} ${value}${unit === "×" ? "" : " "}${unit}`;
}
