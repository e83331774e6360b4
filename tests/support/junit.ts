/**
 * What a test run came to, read from the JUnit report that `deno test` writes. The reporter's own lines are for
 * people and change their form when tests run in parallel.
 *
 * @module
 */

/** Tests of one run; a test with steps counts once. */
export interface TestTally {
  /** Number of tests that passed. */
  readonly passed: number;
  /** `file: name` of each test that failed; the file is the one that registered it, which may be a shared suite. */
  readonly failed: readonly string[];
  /** Name of each test, or step of a test, that was not run. */
  readonly notRun: readonly string[];
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, name) => {
    if (decimal) return String.fromCodePoint(Number(decimal));
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    return ENTITIES[name] ?? whole;
  });
}

/** Adds up the report `xml`. Steps are listed as `test > step` behind their test, and fail it when they fail. */
export function tallyOf(xml: string): TestTally {
  const failed: string[] = [];
  const notRun: string[] = [];
  let passed = 0;
  for (const suite of xml.matchAll(/<testsuite name="([^"]*)"[^>]*>([\s\S]*?)<\/testsuite>/g)) {
    const file = unescape(suite[1]).replace(/^\.\//, "");
    const tests = new Set<string>();
    for (const entry of suite[2].matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
      const [name, body] = [unescape(entry[1]), entry[2] ?? ""];
      const isStep = [...tests].some((test) => name.startsWith(`${test} > `));
      if (!isStep) tests.add(name);
      if (body.includes("<skipped")) notRun.push(name);
      else if (isStep) continue;
      else if (body.includes("<failure") || body.includes("<error")) failed.push(`${file}: ${name}`);
      else passed++;
    }
  }
  return { passed, failed, notRun };
}

/**
 * Modules whose loading threw, or that threw outside any test, from what the reporter printed: the JUnit report leaves
 * them out.
 */
export function uncaughtModules(output: string): string[] {
  // deno-lint-ignore no-control-regex -- colours are escape sequences
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  return [
    ...new Set(Array.from(plain.matchAll(/^(?:\.\/)?(\S+) \(uncaught error\)/gm), (match) => match[1])),
  ];
}
