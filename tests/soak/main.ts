/**
 * `deno task soak`: a million damaged inputs, or `--inputs N`, by a seed that is printed, or `--seed N`. It ends with 1
 * at the first input without a clear answer, or when the books do not agree at the end.
 *
 * @module
 */
import { Command } from "commander";
import { soak } from "./soak.ts";

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new Error(`${JSON.stringify(text)} is no whole number`);
  }
  return value;
};

/** Runs the soak that `args` ask for. Returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { inputs, seed } = new Command("soak")
    .description("Sends damaged HTTP and WebSocket inputs through a gateway in this process.")
    .option("--inputs <count>", "how many", whole, 1_000_000)
    .option("--seed <seed>", "replays the inputs of another run", whole, Date.now() % 1_000_000)
    .parse(["--", "--", ...args])
    .opts<{ inputs: number; seed: number }>();
  console.log(`soak: ${inputs} inputs, --seed ${seed}`);
  const startMs = performance.now();
  try {
    const result = await soak({
      inputs,
      seed,
      progress: (done) => done % 100_000 === 0 && done > 0 && console.log(`soak: ${done} inputs`),
    });
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
    console.log(
      `soak: ${result.requests} requests, ${result.sockets} sockets and ${result.connections} connections ` +
        `in ${seconds} s; ${result.accepted} records accepted, ${result.refusedForRoom} requests refused for want ` +
        "of room; the books agree",
    );
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
