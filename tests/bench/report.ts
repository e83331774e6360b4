/** The table for people and the JSON for machines. @module */
import { goalText, passes, type Result } from "./row.ts";

/** A row that could not be measured. */
export interface Failure {
  readonly row: string;
  readonly reason: string;
}

const HEADER = ["row", "goal", "measured", "per CPU s", "min … max", "n", "passes"];

function number(value: number): string {
  if (!Number.isFinite(value)) return "never";
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The results as lines of a table, with their details below each, and what could not be measured at the end. */
export function table(results: readonly Result[], failures: readonly Failure[]): string {
  const cells = results.map((result) => [
    result.name,
    goalText(result.goal),
    `${number(result.value)}${result.goal.unit === "×" ? "" : " "}${result.goal.unit}`,
    result.perCpu === undefined ? "" : `${number(result.perCpu)}×`,
    `${number(result.min)} … ${number(result.max)}`,
    String(result.samples),
    passes(result) ? "yes" : "NO",
  ]);
  const widths = HEADER.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd();
  const details = (result: Result) =>
    Object.entries(result.detail).map(([name, value]) => `${name}: ${value}`).join(", ");
  return [
    line(HEADER),
    ...results.flatMap((result, i) => [line(cells[i]), `    ${details(result)}`]),
    ...failures.map(({ row, reason }) => `${row}: not measured: ${reason}`),
  ].join("\n");
}

/** The same as one JSON document, with what it was measured on. */
export function json(results: readonly Result[], failures: readonly Failure[]): string {
  return JSON.stringify(
    {
      time: new Date().toISOString(),
      deno: Deno.version.deno,
      cores: navigator.hardwareConcurrency,
      rows: results.map((result) => ({ ...result, passes: passes(result) })),
      failures,
    },
    null,
    2,
  );
}
