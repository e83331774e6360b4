/**
 * The README's table of what each controller of writes in flight makes of each model of a sink, printed from a run of
 * the scenarios. Run as a program it rewrites what stands between the markers `<!-- controllers:begin -->` and
 * `<!-- controllers:end -->`.
 *
 * @module
 */
import { WRITE_CONTROL_KINDS } from "../../src/limit/controllers.ts";
import { bestFixed, compare, runWriteScenario, writeScenarios } from "../limit/write_scenario.ts";

const BEGIN = "<!-- controllers:begin -->";
const END = "<!-- controllers:end -->";

/** The table as Markdown: a row for each scenario without end, a column for each kind. */
export function controllerTable(): string {
  const rows = [...writeScenarios().values()].filter(({ writes }) => writes === undefined).map((scenario) => {
    const best = bestFixed(scenario);
    const hasChange = scenario.phases.length > 1;
    const cells = WRITE_CONTROL_KINDS.map((kind) => {
      const outcome = runWriteScenario(scenario, kind);
      const { share, backAfterSeconds } = compare(scenario, outcome, best);
      const refused = outcome.refused / (outcome.refused + outcome.answered);
      const back = !hasChange
        ? []
        : [backAfterSeconds === Infinity ? "never back" : `back in ${backAfterSeconds + 1} s`];
      const figures = [percent(share), `${Math.round(outcome.meanLatencyMs)} ms`, percent(refused), ...back];
      return figures.join(" · ");
    });
    return [scenario.story, ...cells];
  });
  const header = ["sink", ...WRITE_CONTROL_KINDS.map((kind) => `\`${kind}\``)];
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** `readme` with `table` between the markers; null when it does not hold both. */
export function withControllerTable(readme: string, table: string): string | null {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END, begin);
  if (begin < 0 || end < 0) return null;
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${readme.slice(end)}`;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

if (import.meta.main) {
  const readmeUrl = new URL("../../README.md", import.meta.url);
  const readme = withControllerTable(await Deno.readTextFile(readmeUrl), controllerTable());
  if (readme === null) {
    console.error(`Cannot write the table of controllers as README.md must hold ${BEGIN} and ${END}`);
    Deno.exit(1);
  }
  await Deno.writeTextFile(readmeUrl, readme);
}
