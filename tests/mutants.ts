/**
 * `deno task mutants`: a suite is only as good as what it catches. Each mutant is one deliberate mistake, made in a copy
 * of the tree; the tests named with it must go red. A mutant that survives, or whose place in the code is gone, fails
 * the run.
 *
 * Arguments are names of mutants, or parts of such; without any, all are tried.
 *
 * @module
 */
import { copyTree } from "./support/copy_tree.ts";
import { type Mutant, MUTANTS } from "./mutants/list.ts";

const TOP = new URL("../", import.meta.url).pathname;
const FOLDERS = ["src", "adapters", "tests", "examples"];
const FILES = ["mod.ts", "deno.json", "deno.lock"];
/** Lives of the simulation that a mutant is given; what needs more is not found by chance. */
const SIM_SEEDS = "150";
const DEADLINE_MS = 45_000;

type Verdict = { readonly kind: "killed" } | { readonly kind: "survived" | "gone"; readonly why: string };

async function tryMutant(mutant: Mutant, folder: string): Promise<Verdict> {
  const path = `${folder}/${mutant.file}`;
  const source = await Deno.readTextFile(path);
  if (source.split(mutant.from).length !== 2) {
    return { kind: "gone", why: `${mutant.file} does not hold exactly once: ${JSON.stringify(mutant.from)}` };
  }
  // A function, because "$" in a replacement text has a meaning of its own.
  await Deno.writeTextFile(path, source.replace(mutant.from, () => mutant.to));
  try {
    return await isRed(mutant.tests, folder)
      ? { kind: "killed" }
      : { kind: "survived", why: `${mutant.tests.join(" ")} stay green` };
  } finally {
    await Deno.writeTextFile(path, source);
  }
}

/** Whether a test fails. A run that does not end is red too: the mistake made it spin. */
async function isRed(tests: readonly string[], folder: string): Promise<boolean> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--fail-fast", ...tests],
    cwd: folder,
    env: { WEIR_SIM_SEEDS: SIM_SEEDS },
    stdout: "null",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => process.kill("SIGKILL"), DEADLINE_MS);
  const { success } = await process.status;
  clearTimeout(timer);
  return !success;
}

/** Tries the mutants whose name holds one of `names`. Returns the exit code. */
export async function main(names: readonly string[]): Promise<number> {
  const chosen = MUTANTS.filter(({ name }) =>
    names.length === 0 || names.some((part) => name.includes(part))
  );
  const folder = await Deno.makeTempDir({ prefix: "weir_mutants_" });
  let bad = 0;
  try {
    for (const each of FOLDERS) await copyTree(`${TOP}${each}`, `${folder}/${each}`);
    for (const each of FILES) await Deno.copyFile(`${TOP}${each}`, `${folder}/${each}`);
    await Deno.symlink(`${TOP}node_modules`, `${folder}/node_modules`);
    for (const tests of new Set(chosen.map((mutant) => mutant.tests))) {
      if (!await isRed(tests, folder)) continue;
      console.log(`red without any mutant: ${tests.join(" ")}`);
      bad++;
    }
    for (const mutant of bad > 0 ? [] : chosen) {
      const startMs = performance.now();
      const verdict = await tryMutant(mutant, folder);
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      console.log(
        `${verdict.kind} (${seconds} s): ${mutant.name}${
          verdict.kind === "killed" ? "" : `: ${verdict.why}`
        }`,
      );
      if (verdict.kind !== "killed") bad++;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  console.log(`${chosen.length} mutants, ${bad} not caught`);
  return bad === 0 && chosen.length > 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
