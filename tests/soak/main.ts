/**
 * `deno task soak`: a million damaged inputs, or `--inputs N`, by a seed that is printed, or `--seed N`; then a search
 * node that is killed under load and comes back after a minute, or `--outage-seconds N`, and nodes that refuse for load,
 * under each kind of control; then a Kafka broker and gateways that are killed or stand still; then a sink that stands
 * for ten minutes, or `--stall-seconds N`, behind a source that reads Kafka. It ends with 1 at the first input without a
 * clear answer, when the books do not agree, or when a record is missing or there twice.
 *
 * @module
 */
import { Command } from "commander";
import { Outage } from "../adapters/elasticsearch_outage.ts";
import { CONTROLS, Overload, REFUSALS } from "../adapters/elasticsearch_overload.ts";
import { stallForLong } from "../source/long_stall.ts";
import { isOnPath } from "../support/requirements.ts";
import { soakKafka } from "./kafka.ts";
import { soak } from "./soak.ts";

const OVERLOAD_DOCUMENTS = 100_000;

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new Error(`${JSON.stringify(text)} is no whole number`);
  }
  return value;
};

/** Runs the soak that `args` ask for. Returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { inputs, seed, outageSeconds, stallSeconds } = new Command("soak")
    .description(
      "Sends damaged inputs through a gateway in this process, then hurts the servers around others.",
    )
    .option("--inputs <count>", "how many", whole, 1_000_000)
    .option("--seed <seed>", "replays the inputs of another run", whole, Date.now() % 1_000_000)
    .option("--outage-seconds <seconds>", "how long the search node is away; 0: it stays", whole, 60)
    .option("--stall-seconds <seconds>", "how long the sink behind Kafka stands; 0: it does not", whole, 600)
    .parse(["--", "--", ...args])
    .opts<{ inputs: number; seed: number; outageSeconds: number; stallSeconds: number }>();
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
    if (isOnPath("javac") && isOnPath("mvn")) await soakCluster(outageSeconds);
    else console.log("soak: no search nodes, which need javac and mvn");
    if (["java", "mvn", "kcat"].every((command) => isOnPath(command))) await soakKafka(seed);
    else console.log("soak: no Kafka, which needs java, mvn and kcat");
    if (stallSeconds > 0 && isOnPath("mvn")) {
      await stallForLong(stallSeconds * 1000);
      console.log(`soak: a sink stood for ${stallSeconds} s behind Kafka; the group kept its member`);
    } else console.log("soak: no stall behind Kafka, which needs mvn");
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  }
}

async function soakCluster(outageSeconds: number): Promise<void> {
  if (outageSeconds > 0) {
    await using outage = await Outage.start();
    await outage.killAndBringBack(outageSeconds * 1000);
    console.log(`soak: a search node was away for ${outageSeconds} s; every document is stored once`);
  }
  for (const refusal of REFUSALS) {
    await using overload = await Overload.start(refusal);
    for (const control of CONTROLS) {
      await overload.send(control, OVERLOAD_DOCUMENTS);
      console.log(
        `soak: a search node refused for ${refusal.cause}, control ${control.kind}: all stored once`,
      );
    }
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
