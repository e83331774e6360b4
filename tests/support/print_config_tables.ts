/**
 * The README's config tables, printed from the schemas, so that the two cannot part. Run as a program it rewrites what
 * stands between the markers `<!-- config:begin -->` and `<!-- config:end -->`.
 *
 * @module
 */
import { builtInSinks } from "../../adapters/mod.ts";
import { type ConfigRow, describeConfig } from "../../src/config.ts";
import type { SinkDefinition } from "../../src/sink/adapter.ts";

const BEGIN = "<!-- config:begin -->";
const END = "<!-- config:end -->";

/** One Markdown table for each section, stream and sink, and for the options of each kind of `definitions`. */
export function configTables(definitions: readonly SinkDefinition[] = builtInSinks): string {
  const groups = Map.groupBy(describeConfig(definitions), groupOf);
  return [...groups].map(([group, rows]) => {
    const lines = rows.map((row) => {
      const key = row.path.slice(group.length + 1);
      return `| \`${key}\` | ${cell(row.type)} | ${row.default === "" ? "" : defaultCell(row)} | ${
        cell(row.description)
      } |`;
    });
    return [
      `### \`${group}\``,
      "",
      "| key | type | default | meaning |",
      "| --- | --- | --- | --- |",
      ...lines,
    ].join("\n");
  }).join("\n\n");
}

/** `readme` with `tables` between the markers; null when it does not hold both. */
export function withTables(readme: string, tables: string): string | null {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END, begin);
  if (begin < 0 || end < 0) return null;
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${tables}\n\n${readme.slice(end)}`;
}

/** `streams.NAME` and `sinks.NAME (type)` keep their name together; other sections are one word. */
function groupOf({ path }: ConfigRow): string {
  return /^(streams\.NAME|sources\.NAME|sinks\.NAME( \([^)]*\))?|[^.]+)/.exec(path)![0];
}

function defaultCell(row: ConfigRow): string {
  return row.default === "required" ? "**required**" : `\`${cell(row.default)}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

if (import.meta.main) {
  const readmeUrl = new URL("../../README.md", import.meta.url);
  const readme = withTables(await Deno.readTextFile(readmeUrl), configTables());
  if (readme === null) {
    console.error(`Cannot write the config tables as README.md must hold ${BEGIN} and ${END}, in this order`);
    Deno.exit(1);
  }
  await Deno.writeTextFile(readmeUrl, readme);
}
