/**
 * `deno task test`: installs what the tests need, runs them, and ends with what was true: the failures, what was not
 * run and why, and `N passed, N failed` as the last line. On CI a test that was not run is a failure.
 *
 * Arguments are handed to `deno test`: paths to run instead of all tests, or its flags.
 *
 * @module
 */
import { tallyOf, type TestTally, uncaughtModules } from "./support/junit.ts";
import { KafkaBroker } from "./services/kafka.ts";
import { startOpenSearch } from "./services/opensearch.ts";
import type { SearchNode } from "./services/search_node.ts";
import { installMissing, TRAITS } from "./support/requirements.ts";

const TOP = new URL("../", import.meta.url).pathname;
/**
 * The suite takes 11 minutes on two cores, and 20 where others use them too. A test that hangs must not take CI's verdict
 * with it, which is stopped after 90.
 */
const RUN_DEADLINE_MS = 60 * 60_000;

interface TestRun {
  /** Exit code of `deno test`, or null when it was stopped. */
  readonly code: number | null;
  /** What its reporter printed. */
  readonly output: string;
}

async function runDenoTest(
  args: readonly string[],
  junitPath: string,
  env: Readonly<Record<string, string>>,
): Promise<TestRun> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--parallel", "--junit-path", junitPath, ...args],
    cwd: TOP,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    process.kill("SIGKILL");
  }, RUN_DEADLINE_MS);
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of process.stdout) {
    output += decoder.decode(chunk, { stream: true });
    await writeAll(chunk);
  }
  const { code } = await process.status;
  clearTimeout(timer);
  return { code: isLate ? null : code, output };
}

async function writeAll(chunk: Uint8Array): Promise<void> {
  while (chunk.length > 0) chunk = chunk.subarray(await Deno.stdout.write(chunk));
}

async function readReport(junitPath: string): Promise<TestTally> {
  try {
    return tallyOf(await Deno.readTextFile(junitPath));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { passed: 0, failed: [], notRun: [] };
    throw error;
  }
}

/** One node for all test files of a whole run, which else would start one each; null where they are to see to it. */
async function startSearchNode(args: readonly string[]): Promise<SearchNode | null> {
  const isWanted = args.length === 0 && !Deno.env.has("WEIR_TEST_OPENSEARCH") &&
    TRAITS.searchCluster.isThere();
  return isWanted ? await startOpenSearch() : null;
}

/** As `startSearchNode`, for the broker. */
async function startBroker(args: readonly string[]): Promise<KafkaBroker | null> {
  const isWanted = args.length === 0 && !Deno.env.has("WEIR_TEST_KAFKA") && TRAITS.kafka.isThere();
  return isWanted ? await KafkaBroker.start() : null;
}

/** Runs the tests that `args` name, or all. Returns the exit code: 0 when at least one test ran and none failed. */
export async function main(args: readonly string[]): Promise<number> {
  const installation = await installMissing((line) => console.log(`test tools: ${line}`));
  if (installation.kind === "notPossible") {
    console.log(`test tools: ${installation.packages.join(", ")} are missing: ${installation.reason}`);
  }
  const folder = await Deno.makeTempDir({ prefix: "weir_test_run_" });
  try {
    const junitPath = `${folder}/junit.xml`;
    await using node = await startSearchNode(args);
    await using broker = await startBroker(args);
    const ports = `${folder}/ports`;
    await Deno.mkdir(ports);
    const env: Record<string, string> = {
      WEIR_TEST_PORTS: ports,
      ...node === null ? {} : { WEIR_TEST_OPENSEARCH: node.url },
      ...broker === null ? {} : { WEIR_TEST_KAFKA: broker.address },
    };
    const { code, output } = await runDenoTest(args.length > 0 ? args : ["tests"], junitPath, env);
    const tally = await readReport(junitPath);
    const uncaught = uncaughtModules(output).map((module) => `${module}: threw outside its tests`);
    const failed = [...tally.failed, ...uncaught];
    if (code === null) failed.push(`the run was stopped after ${RUN_DEADLINE_MS / 60_000} minutes`);
    else if (code !== 0 && failed.length === 0) failed.push(`deno test ended with code ${code}`);

    const isCi = Deno.env.get("CI") === "true";
    for (const name of failed) console.log(`failed: ${name}`);
    for (const name of tally.notRun) console.log(`not run: ${name}`);
    if (isCi && tally.notRun.length > 0) console.log("CI=true: what was not run counts as failed");
    if (tally.passed === 0) console.log("no test passed: a run without tests is a failure");
    const failures = failed.length + (isCi ? tally.notRun.length : 0);
    console.log(`${tally.passed} passed, ${failures} failed`);
    return failures === 0 && tally.passed > 0 ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
