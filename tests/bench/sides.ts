/**
 * The two sides of a comparison, each a server process of its own under the same load by wrk: a yardstick from
 * `yardsticks/`, or the gateway with a config.
 *
 * @module
 */
import { GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";
import { compare, type Side, type Slice } from "./compare.ts";
import type { Goal, Row } from "./row.ts";
import { type Load, WrkLoad } from "./wrk.ts";

/** Yardsticks start in a fraction of that. */
const START_DEADLINE_MS = 10_000;

/** A server under a load. */
class LoadedSide implements Side {
  readonly #program: Program;
  readonly #url: string;
  readonly #load: WrkLoad;
  readonly #workPerRequest: number;
  readonly #owned: AsyncDisposable;

  constructor(program: Program, url: string, load: WrkLoad, workPerRequest: number, owned: AsyncDisposable) {
    this.#program = program;
    this.#url = url;
    this.#load = load;
    this.#workPerRequest = workPerRequest;
    this.#owned = owned;
  }

  async measure(seconds: number): Promise<Slice> {
    const before = this.#program.usage().cpuSeconds;
    const summary = await this.#load.run(this.#url, seconds);
    const cpuSeconds = this.#program.usage().cpuSeconds - before;
    if (summary.refusals + summary.failures > 0) {
      const { answers, refusals, failures } = summary;
      throw new Error(
        this.#program.describe(`of ${answers} answers ${refusals} were refusals, and ${failures} failed`),
      );
    }
    return { work: summary.answers * this.#workPerRequest, seconds: summary.seconds, cpuSeconds };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
    await this.#owned[Symbol.asyncDispose]();
  }
}

/** Starts `yardsticks/NAME.ts` on `port` with further arguments, and waits until it takes connections. */
export async function startYardstick(
  name: string,
  port: number,
  args: readonly string[] = [],
): Promise<Program> {
  const path = new URL(`yardsticks/${name}.ts`, import.meta.url).pathname;
  const program = new Program(Deno.execPath(), { args: ["run", "-A", path, String(port), ...args] });
  try {
    await program.waitUntil(() => takesConnections(port), START_DEADLINE_MS, "it took connections");
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
  return program;
}

async function takesConnections(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

/** The yardstick `name` under `load`; a request counts as `workPerRequest`. */
export async function yardstickSide(name: string, load: Load, workPerRequest: number): Promise<Side> {
  const port = freePort();
  const program = await startYardstick(name, port);
  return new LoadedSide(
    program,
    `http://127.0.0.1:${port}`,
    await WrkLoad.create(load),
    workPerRequest,
    program,
  );
}

/** The gateway with `config` under `load`; a request counts as `workPerRequest`. */
export async function gatewaySide(config: RawConfig, load: Load, workPerRequest: number): Promise<Side> {
  const gateway = await GatewayProcess.start(config);
  return new LoadedSide(gateway.program, gateway.url, await WrkLoad.create(load), workPerRequest, gateway);
}

/** A config with one stream `s`, with `stream`'s keys, into a sink `m` that takes all. */
export function memoryConfig(stream: Readonly<Record<string, unknown>>): RawConfig {
  return { streams: { s: { sinks: ["m"], ...stream } }, sinks: { m: { type: "memory" } } };
}

/** What a row of two sides under load is made of. */
export interface RatioSpec {
  readonly name: string;
  readonly title: string;
  readonly goal: number;
  /** Of the rates in `detail`. */
  readonly unit: string;
  readonly subject: () => Promise<Side>;
  readonly yardstick: () => Promise<Side>;
}

/** A row that compares two sides: work per second, against `spec.goal`. */
export function ratioRow(spec: RatioSpec): Row {
  const goal: Goal = { kind: "atLeast", value: spec.goal, unit: "×" };
  return {
    name: spec.name,
    async run(options) {
      await using subject = await spec.subject();
      await using yardstick = await spec.yardstick();
      const { ratio, perCpuRatio, min, max, subjectPerSecond, yardstickPerSecond } = await compare(
        subject,
        yardstick,
        options,
      );
      return [{
        name: spec.title,
        goal,
        value: ratio,
        perCpu: perCpuRatio,
        min,
        max,
        samples: options.slices,
        detail: {
          [`${spec.unit}/s`]: Math.round(subjectPerSecond),
          [`yardstick ${spec.unit}/s`]: Math.round(yardstickPerSecond),
        },
      }];
    },
  };
}
