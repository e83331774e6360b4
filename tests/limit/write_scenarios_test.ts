/**
 * The controllers of writes in flight by the scenarios of `write_scenarios/`: those of Vector's adaptive request
 * concurrency with its ranges, and sinks that queue, refuse, stand still or change, beside the best fixed number.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  bestFixed,
  compare,
  runWriteScenario,
  type WriteScenario,
  writeScenarios,
} from "./write_scenario.ts";

for (const [file, scenario] of writeScenarios()) {
  Deno.test(`WriteController.update() keeps the ranges of ${file}: ${scenario.story}`, () => {
    assertEquals(faultsOf(scenario), []);
  });
}

function faultsOf(scenario: WriteScenario): string[] {
  const best = scenario.writes === undefined ? bestFixed(scenario) : null;
  return Object.entries(scenario.expect).flatMap(([kind, ranges]) => {
    const outcome = runWriteScenario(scenario, kind as keyof WriteScenario["expect"]);
    const seen = { ...outcome, ...(best && compare(scenario, outcome, best)) };
    return Object.entries(ranges).flatMap(([what, [least, most]]) => {
      const value = seen[what as keyof typeof ranges] ?? NaN;
      return value >= least && value <= most
        ? []
        : [`${kind}: ${what} is ${value}, not in ${least} to ${most}`];
    });
  });
}
