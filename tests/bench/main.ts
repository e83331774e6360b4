/**
 * `deno task bench [--json FILE] [--only PATTERN] [--slices N]`: measures the rows of `rows/mod.ts` and prints them as
 * ratios against their goals. A missed goal is a result; the exit code is 1 when a row could not be measured, and 2 for
 * wrong usage.
 *
 * @module
 */
import { installMissing, isOnPath } from "../support/requirements.ts";
import { type Failure, json, table } from "./report.ts";
import type { BenchOptions, Result, Row } from "./row.ts";
import { rows } from "./rows/mod.ts";

const USAGE = "deno task bench [--json FILE] [--only PATTERN] [--slices N]";
/** Fewer leave the median to chance on a shared machine. */
const DEFAULT_SLICES = 16;
const SLICE_SECONDS = 1;

/** What the command line asks for. */
export interface BenchArguments {
  readonly jsonPath: string | null;
  /** Rows whose name it matches. */
  readonly only: RegExp;
  readonly slices: number;
}

/** Reads the command line; throws a `RangeError` with what is wrong. */
export function parseArguments(args: readonly string[]): BenchArguments {
  let [jsonPath, only, slices]: [string | null, RegExp, number] = [null, /(?:)/, DEFAULT_SLICES];
  for (let i = 0; i < args.length; i += 2) {
    const [name, value] = [args[i], args[i + 1]];
    if (value === undefined) throw new RangeError(`${name} needs a value: ${USAGE}`);
    if (name === "--json") jsonPath = value;
    else if (name === "--only") only = new RegExp(value);
    else if (name === "--slices") slices = Number(value);
    else throw new RangeError(`${name} is no option: ${USAGE}`);
  }
  if (!Number.isInteger(slices) || slices < 1) throw new RangeError("--slices must be a whole number from 1");
  return { jsonPath, only, slices };
}

async function measure(selected: readonly Row[], options: BenchOptions): Promise<[Result[], Failure[]]> {
  const results: Result[] = [];
  const failures: Failure[] = [];
  for (const row of selected) {
    console.error(`measuring ${row.name} …`);
    try {
      results.push(...await row.run(options));
    } catch (error) {
      failures.push({ row: row.name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return [results, failures];
}

async function main(): Promise<number> {
  let asked: BenchArguments;
  try {
    asked = parseArguments(Deno.args);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
    console.error(error.message);
    return 2;
  }
  if (!isOnPath("wrk")) await installMissing((line) => console.error(line));
  const selected = rows.filter((row) => asked.only.test(row.name));
  if (selected.length === 0) {
    console.error(`--only matches none of ${rows.map((row) => row.name).join(", ")}`);
    return 2;
  }
  const options = { slices: asked.slices, sliceSeconds: SLICE_SECONDS };
  const [results, failures] = await measure(selected, options);
  console.log(table(results, failures));
  if (asked.jsonPath) await Deno.writeTextFile(asked.jsonPath, json(results, failures) + "\n");
  return failures.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
