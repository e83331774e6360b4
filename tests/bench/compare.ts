/**
 * Two servers against each other in short slices, by turns: what the machine does to one it does to the other a second
 * later, so the ratio of a pair holds still where the rates do not. The order turns with each pair (A B, B A), or
 * whatever falls from pair to pair would always fall on the same side. Of the ratios the median stands.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { BenchOptions, Result } from "./row.ts";

/** Compiling and the first garbage collections are over after that many slices of each side. */
const WARM_UP_SLICES = 2;

/** What a side did in one slice. */
export interface Slice {
  /** Requests, records or bytes. */
  readonly work: number;
  readonly seconds: number;
  /** CPU time of the server process. */
  readonly cpuSeconds: number;
}

/** A server under load. */
export interface Side extends AsyncDisposable {
  /** Loads the server for `seconds`. Rejects when it did not answer as it should. */
  measure(seconds: number): Promise<Slice>;
}

/** What a comparison came to. */
export interface Comparison {
  /** Median of subject over yardstick, in work per second. */
  readonly ratio: number;
  /** The same in work per CPU-second. */
  readonly perCpuRatio: number;
  /** Smallest and largest of these. */
  readonly minPerCpu: number;
  readonly maxPerCpu: number;
  /** Smallest and largest ratio of a pair. */
  readonly min: number;
  readonly max: number;
  /** Median work per second of each side. */
  readonly subjectPerSecond: number;
  readonly yardstickPerSecond: number;
}

/** The middle of `values`, or the mean of the middle two. */
export function median(values: readonly number[]): number {
  assert(values.length > 0, "a median needs at least one value");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const perSecond = (slice: Slice): number => slice.work / slice.seconds;
const perCpuSecond = (slice: Slice): number => slice.work / slice.cpuSeconds;

/** Measures `subject` against `yardstick`, warm-up first. */
export async function compare(subject: Side, yardstick: Side, options: BenchOptions): Promise<Comparison> {
  for (let i = 0; i < WARM_UP_SLICES; i++) {
    await yardstick.measure(options.sliceSeconds);
    await subject.measure(options.sliceSeconds);
  }
  const subjects: Slice[] = [];
  const yardsticks: Slice[] = [];
  const measureSubject = async () => void subjects.push(await subject.measure(options.sliceSeconds));
  const measureYardstick = async () => void yardsticks.push(await yardstick.measure(options.sliceSeconds));
  for (let pair = 0; pair < options.slices; pair++) {
    const order = pair % 2 === 0 ? [measureSubject, measureYardstick] : [measureYardstick, measureSubject];
    for (const measure of order) await measure();
  }
  const ratios = subjects.map((slice, i) => perSecond(slice) / perSecond(yardsticks[i]));
  const perCpuRatios = subjects.map((slice, i) => perCpuSecond(slice) / perCpuSecond(yardsticks[i]));
  return {
    ratio: median(ratios),
    perCpuRatio: median(perCpuRatios),
    minPerCpu: Math.min(...perCpuRatios),
    maxPerCpu: Math.max(...perCpuRatios),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
    subjectPerSecond: median(subjects.map(perSecond)),
    yardstickPerSecond: median(yardsticks.map(perSecond)),
  };
}

/** What the line of a comparison says. */
export interface RatioLine {
  readonly name: string;
  readonly leastRatio: number;
  /** Of the rates in `detail`. */
  readonly unit: string;
  /** Work in one `unit`. Default 1. */
  readonly workPerUnit?: number;
  readonly samples: number;
  /** Further numbers. */
  readonly detail?: Readonly<Record<string, number>>;
}

/** The line of a comparison of work per second. */
export function ratioOf(comparison: Comparison, line: RatioLine): Result {
  const { ratio, perCpuRatio, min, max, subjectPerSecond, yardstickPerSecond } = comparison;
  const { name, leastRatio, unit, workPerUnit = 1, samples, detail } = line;
  return {
    name,
    goal: { kind: "atLeast", value: leastRatio, unit: "×" },
    value: ratio,
    perCpu: perCpuRatio,
    min,
    max,
    samples,
    detail: {
      [`${unit}/s`]: Math.round(subjectPerSecond / workPerUnit),
      [`yardstick ${unit}/s`]: Math.round(yardstickPerSecond / workPerUnit),
      ...detail,
    },
  };
}
