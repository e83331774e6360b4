/**
 * `deno doc --lint mod.ts`, but for what it says of other packages: a public type may be one of Hono's or zod's, and
 * those cannot be exported here without all that they refer to. `deno run -A tests/support/doc_lint.ts`.
 *
 * @module
 */

/** Types of other packages that stand in the public surface. */
const FOREIGN = ["Hono", "ZodType"];

const lint = await new Deno.Command(Deno.execPath(), {
  args: ["doc", "--lint", "mod.ts"],
  env: { NO_COLOR: "1" },
  stderr: "piped",
}).output();
const faults = new TextDecoder().decode(lint.stderr).split(/^(?=error\[)/m).filter((part) =>
  part.startsWith("error[")
);
const own = faults.filter((fault) => {
  const foreign = /^error\[private-type-ref\].* references private type '(\w+)'/.exec(fault)?.[1];
  return foreign === undefined || !FOREIGN.includes(foreign);
});
for (const fault of own) console.error(fault);
if (faults.length === 0 && !lint.success) console.error(new TextDecoder().decode(lint.stderr));
Deno.exit(own.length > 0 || (faults.length === 0 && !lint.success) ? 1 : 0);
