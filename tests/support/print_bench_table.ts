/**
 * The README's table of measurements, printed from what `deno task bench --json FILE` wrote, so that no figure there
 * is copied by hand. Run as a program with that file it rewrites what stands between the markers
 * `<!-- bench:begin -->` and `<!-- bench:end -->`.
 *
 * @module
 */
import { z } from "zod";
import { goalText } from "../bench/row.ts";

const BEGIN = "<!-- bench:begin -->";
const END = "<!-- bench:end -->";

/** JSON has no infinity and writes null for it: a value that was never reached. */
const measured = z.number().nullable();

const reportSchema = z.object({
  time: z.string(),
  deno: z.string(),
  cores: z.number(),
  rows: z.array(z.object({
    name: z.string(),
    goal: z.object({ kind: z.enum(["atLeast", "atMost"]), value: z.number(), unit: z.string() }),
    value: measured,
    perCpu: measured.optional(),
    min: measured,
    max: measured,
    samples: z.number(),
    passes: z.boolean(),
  })),
  failures: z.array(z.object({ row: z.string(), reason: z.string() })),
});

/** What `deno task bench --json` writes, as far as the table needs it. */
export type BenchReport = z.output<typeof reportSchema>;

/** Reads the JSON text of a bench run. Throws what is wrong with it. */
export function parseBenchReport(text: string): BenchReport {
  return reportSchema.parse(JSON.parse(text));
}

/** `report` as a Markdown table, with what it was measured on above it and what could not be measured below. */
export function benchTable(report: BenchReport): string {
  const rows = report.rows.map((row) => {
    const { unit } = row.goal;
    return cells(
      row.name,
      goalText(row.goal),
      withUnit(row.value, unit),
      row.perCpu === undefined ? "" : withUnit(row.perCpu, "×"),
      `${figure(row.min)}–${withUnit(row.max, unit)}`,
      row.passes ? "yes" : "**no**",
    );
  });
  const failures = report.failures.map(({ row, reason }) => `\nNot measured: ${row} (${reason}).`);
  return [
    `Measured on ${report.time.slice(0, 10)} with Deno ${report.deno} on ${report.cores} shared cores, ` +
    "load generator and sinks included.",
    "",
    cells("what", "goal", "measured", "per CPU-second", "min–max", "passes"),
    cells("---", "---", "---", "---", "---", "---"),
    ...rows,
    ...failures,
  ].join("\n");
}

/** `readme` with `table` between the markers; null when it does not hold both. */
export function withBenchTable(readme: string, table: string): string | null {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END, begin);
  if (begin < 0 || end < 0) return null;
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${readme.slice(end)}`;
}

function cells(...texts: readonly string[]): string {
  return `| ${texts.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`;
}

function figure(value: number | null): string {
  if (value === null) return "never";
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function withUnit(value: number | null, unit: string): string {
  if (value === null) return figure(value);
  return unit === "×" ? `${figure(value)}×` : `${figure(value)} ${unit}`;
}

if (import.meta.main) {
  const [path] = Deno.args;
  if (path === undefined) {
    console.error("Cannot write the bench table without a report: print_bench_table.ts FILE");
    Deno.exit(2);
  }
  const readmeUrl = new URL("../../README.md", import.meta.url);
  const table = benchTable(parseBenchReport(await Deno.readTextFile(path)));
  const readme = withBenchTable(await Deno.readTextFile(readmeUrl), table);
  if (readme === null) {
    console.error(`Cannot write the bench table as README.md must hold ${BEGIN} and ${END}, in this order`);
    Deno.exit(1);
  }
  await Deno.writeTextFile(readmeUrl, readme);
}
