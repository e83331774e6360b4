/**
 * The controllers of the source in a whole gateway, by the scenarios of `source_scenarios/`: sinks that are too slow,
 * become slow, stand still, and sources that come in bursts. What entered has always got out at the end.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Expectation, type Reading, runScenario, type Scenario } from "./source_scenario.ts";

const FOLDER = new URL("./source_scenarios/", import.meta.url);

for (const { name } of [...Deno.readDirSync(FOLDER)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  const scenario: Scenario = JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER)));
  Deno.test(`${scenario.story}: ${name}`, async () => {
    const readings = await runScenario(scenario);
    const last = readings[readings.length - 1];
    assertEquals(last.delivered, last.entered, "all that entered is delivered");
    const faults = scenario.expect.flatMap((expected) => faultsOf(expected, readings));
    assertEquals(faults, []);
  });
}

function faultsOf(expected: Expectation, readings: readonly Reading[]): string[] {
  const { fromMs, toMs, ...ranges } = expected;
  const window = readings.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  const [first, last] = [window[0], window[window.length - 1]];
  const levels = window.map(({ queueLevel }) => queueLevel);
  const perSecond = (count: (reading: Reading) => number) => [
    (count(last) - count(first)) * 1000 / (last.atMs - first.atMs),
  ];
  const seen: Record<string, readonly number[]> = {
    deliveredPerSecond: perSecond((reading) => reading.delivered),
    enteredPerSecond: perSecond((reading) => reading.entered),
    refusals: [last.refusals - first.refusals],
    closings: [last.closings - first.closings],
    rate: window.map(({ rate }) => rate ?? NaN),
    queueLevel: levels,
    lowestLevel: [Math.min(...levels)],
  };
  return Object.entries(ranges).flatMap(([what, range]) => {
    assert(Object.hasOwn(seen, what) && range.length === 2, `a scenario expects a range of ${what}`);
    const out = seen[what].find((value) => !(value >= range[0] && value <= range[1]));
    return out === undefined ? [] : [`${what} from ${fromMs} to ${toMs} ms is ${out}, not in ${range}`];
  });
}
