/**
 * The two sides of a comparison, each a server process of its own under the same load by wrk: a yardstick from
 * `yardsticks/`, or the gateway with a config.
 *
 * @module
 */
import { V8_FLAGS } from "../../src/v8_flags.ts";
import { GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";
import { compare, ratioOf, type Side, type Slice } from "./compare.ts";
import type { Row } from "./row.ts";
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

/** Starts `yardsticks/NAME.ts` as the gateway is started, on `port`, with further arguments; waits until it takes connections. */
export async function startYardstick(
  name: string,
  port: number,
  args: readonly string[] = [],
): Promise<Program> {
  const path = new URL(`yardsticks/${name}.ts`, import.meta.url).pathname;
  const program = new Program(Deno.execPath(), {
    args: ["run", "-A", V8_FLAGS, path, String(port), ...args],
  });
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

/** A gateway under load, and how much its sink writes at once, for yardsticks that are to write as much. */
export class WritingSide implements Side {
  /** Mean work per write of the sink in the last slice. */
  workPerWrite: number;
  readonly #side: Side;
  readonly #gateway: GatewayProcess;
  readonly #sink: string;

  private constructor(side: Side, gateway: GatewayProcess, sink: string, workPerWrite: number) {
    this.#side = side;
    this.#gateway = gateway;
    this.#sink = sink;
    this.workPerWrite = workPerWrite;
  }

  /** Starts it; a request counts as `workPerRequest`, and a write as `workPerWrite` until there is a slice. */
  static async start(
    { config, sink, load, workPerRequest, workPerWrite }: {
      readonly config: RawConfig;
      readonly sink: string;
      readonly load: Load;
      readonly workPerRequest: number;
      readonly workPerWrite: number;
    },
  ): Promise<WritingSide> {
    const gateway = await GatewayProcess.start(config);
    const wrk = await WrkLoad.create(load);
    const side = new LoadedSide(gateway.program, gateway.url, wrk, workPerRequest, gateway);
    return new WritingSide(side, gateway, sink, workPerWrite);
  }

  async measure(seconds: number): Promise<Slice> {
    const before = await this.#writes();
    const slice = await this.#side.measure(seconds);
    const writes = await this.#writes() - before;
    if (writes > 0) this.workPerWrite = Math.max(1, Math.round(slice.work / writes));
    return slice;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#side[Symbol.asyncDispose]();
  }

  #writes(): Promise<number> {
    return this.#gateway.metric("weir_sink_write_seconds_count", { sink: this.#sink });
  }
}

/** A yardstick that makes its own work: `POST /?seconds=S` has it work so long, and tells how much that was. */
export class WorkerSide implements Side {
  readonly #program: Program;
  readonly #port: number;
  readonly #query: () => Readonly<Record<string, number>>;

  private constructor(program: Program, port: number, query: () => Readonly<Record<string, number>>) {
    this.#program = program;
    this.#port = port;
    this.#query = query;
  }

  /** Starts `yardsticks/NAME.ts`; `query` gives what it is told beside the seconds of each slice. */
  static async start(
    name: string,
    args: readonly string[],
    query: () => Readonly<Record<string, number>> = () => ({}),
  ): Promise<WorkerSide> {
    const port = freePort();
    return new WorkerSide(await startYardstick(name, port, args), port, query);
  }

  async measure(seconds: number): Promise<Slice> {
    const cpuBefore = this.#program.usage().cpuSeconds;
    const run = await this.run({ seconds, ...this.#query() });
    return { ...run, cpuSeconds: this.#program.usage().cpuSeconds - cpuBefore };
  }

  /** Has it work as `query` says. Rejects when it could not. */
  async run(query: Readonly<Record<string, number>>): Promise<Omit<Slice, "cpuSeconds">> {
    const params = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
    const response = await fetch(`http://127.0.0.1:${this.#port}/?${params}`, { method: "POST" });
    const text = await response.text();
    if (!response.ok) throw new Error(this.#program.describe(text));
    return JSON.parse(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
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
export function ratioRow({ name, title, goal, unit, subject, yardstick }: RatioSpec): Row {
  return {
    name,
    async run(options) {
      await using ours = await subject();
      await using theirs = await yardstick();
      const comparison = await compare(ours, theirs, options);
      return [ratioOf(comparison, { name: title, leastRatio: goal, unit, samples: options.slices })];
    },
  };
}
