/**
 * Where each sink's refused records go: the sink that `deadLetter` names, or a file of its own under `dataDir`.
 *
 * Dead letters have a small pool of their own, outside the network buffer pool: they are made when memory is short, by
 * sinks that refuse, and must not compete with the records that wait for those sinks. Its segments are touched only
 * when something is refused.
 *
 * @module
 */
import { join } from "node:path";
import { NetworkBufferPool } from "./buffer/network_buffer_pool.ts";
import { type Config, planDeadLetters, type SinkConfig, writesInFlight } from "./config.ts";
import { DeadLetter } from "./lane/dead_letter.ts";
import type { SinkUnit, Surroundings } from "./sink_unit.ts";
import { buildPipeline, type LaneUnit } from "./pipeline.ts";
import { builtInSinks } from "../adapters/mod.ts";

/** The way of one sink's letters. */
interface Route {
  readonly sink: string;
  readonly target: string;
  readonly segments: number;
  readonly deadLetter: DeadLetter;
  readonly lanes: readonly LaneUnit[];
  readonly close: () => void;
}

/** All routes. */
export class DeadLetters {
  /** By the sink that refuses. */
  readonly #routes: Map<string, Route> = new Map();
  /** Those that another has taken the place of, while letters are on them. */
  readonly #ending: Set<Route> = new Set();
  readonly #idPrefix: string;
  readonly #around: Surroundings;
  #built = 0;

  /** No route yet. */
  constructor(options: { idPrefix: string; around: Surroundings }) {
    this.#idPrefix = options.idPrefix;
    this.#around = options.around;
  }

  /** Lanes of all routes. */
  get lanes(): LaneUnit[] {
    return [...this.#routes.values(), ...this.#ending].flatMap((route) => [...route.lanes]);
  }

  /**
   * Builds the routes that the sinks of `config` need and do not have. `sinks` holds all targets. A route that is too
   * small, or leads elsewhere, goes when its letters are stored: `onEnd` is told.
   */
  update(config: Config, sinks: ReadonlyMap<string, SinkUnit>, onEnd: () => void): void {
    for (const { sink: name, target: named, segments: planned } of planDeadLetters(config)) {
      const target = named ?? fileName(name);
      const before = this.#routes.get(name);
      // What its lanes hold may be as large as what they were built for.
      const segments = Math.max(planned, before?.segments ?? 0);
      if (before?.target === target && before.segments === segments) continue;
      this.#routes.set(name, this.#build(name, sinks.get(target)!, segments, config.buffers.segmentBytes));
      if (before) void this.#end(before, onEnd);
    }
  }

  /** The way of the records that `sink` refuses. A file of dead letters that refuses one is a fault: it is told, and its letters wait. */
  of(sink: string): DeadLetter {
    const route = this.#routes.get(sink);
    if (route === undefined) {
      throw new Error(`the dead-letter sink "${sink}" refused a letter and has no dead letter`);
    }
    return route.deadLetter;
  }

  /** Ends the lingering of batches. */
  hurry(): void {
    for (const { lane } of this.lanes) lane.hurry();
  }

  /** Forgets the letters of `sink` that are not stored: the lanes that they come from are given up. */
  drop(sink: string): void {
    for (const route of [...this.#routes.values(), ...this.#ending]) {
      if (route.sink === sink) route.deadLetter.withdraw();
    }
  }

  /** Ends the route of `sink`, which no lane leads to any more: what it refused is stored, or given up. */
  remove(sink: string): void {
    this.#routes.get(sink)?.close();
    this.#routes.delete(sink);
  }

  /** Lets go of everything. */
  close(): void {
    for (const route of [...this.#routes.values(), ...this.#ending]) route.close();
    this.#ending.clear();
  }

  async #end(route: Route, onEnd: () => void): Promise<void> {
    this.#ending.add(route);
    const isGivenUp = () => route.lanes.every((lane) => lane.closed);
    const isStored = () =>
      route.deadLetter.waiting === 0 && route.lanes.every(({ lane }) => lane.input.held === 0);
    for (const { lane } of route.lanes) lane.hurry();
    while (this.#ending.has(route) && !isGivenUp() && !isStored()) {
      await Promise.all(route.lanes.map(({ lane }) => lane.settled()));
      // Room is told at the end of the turn: what waited for it is written then.
      await new Promise<void>((resolve) => this.#around.clock.defer(resolve));
    }
    if (!this.#ending.delete(route)) return;
    for (const rejection of route.deadLetter.withdraw()) {
      this.#routes.get(route.sink)?.deadLetter.submit(rejection);
    }
    route.close();
    onEnd();
  }

  #build(sink: string, target: SinkUnit, segments: number, segmentBytes: number): Route {
    const around = this.#around;
    const stream = `dead-letter:${sink}`;
    const pool = new NetworkBufferPool({ segmentBytes, segments });
    const route: { deadLetter?: DeadLetter } = {};
    const { partition, lanes } = buildPipeline({
      stream,
      pool: pool.createLocalPool({ name: stream, minSegments: segments, maxSegments: segments }),
      lanes: [{
        plan: {
          stream,
          sink: target.name,
          writer: 0,
          guaranteed: segments,
          exclusive: segments,
          floating: writesInFlight(target.config),
          credits: segments + writesInFlight(target.config),
          maxBuffers: 2 * segments,
        },
        sink: target,
        writers: 1,
        weight: 1,
        sheds: false,
        acks: true,
        // A letter that its own sink refuses goes on to that sink's dead letter; the chain ends at a file.
        deadLetter: () => this.of(target.name),
      }],
      // Each pool counts its segments anew: without a prefix of its own an id would come twice.
      idPrefix: `${this.#idPrefix}dl${this.#built++}-`,
      onRoom: () => route.deadLetter!.serve(),
    }, around);
    const deadLetter = route.deadLetter = new DeadLetter({
      sink,
      partition,
      wallTime: () => around.clock.wallMs(),
    });
    return {
      sink,
      target: target.name,
      segments,
      deadLetter,
      lanes,
      close: () => {
        partition.close();
        for (const lane of lanes) lane.close();
        pool.destroy();
      },
    };
  }
}

/** The sinks of `config`, and the files of those that name no `deadLetter`; these are opened when they are first needed. */
export function sinksWithFiles(config: Config): Map<string, SinkConfig & { readonly eager: boolean }> {
  const sinks = [...config.sinks.values()];
  return new Map(
    [
      ...sinks.map((sink) => ({ ...sink, eager: true })),
      ...sinks.filter((sink) => sink.deadLetter === null).map((sink) => ({
        ...fileFor(sink, config.gateway.dataDir),
        eager: false,
      })),
    ].map((sink) => [sink.name, sink]),
  );
}

function fileName(sink: string): string {
  return `dead-letter:${sink}`;
}

function fileFor(sink: SinkConfig, dataDir: string): SinkConfig {
  const definition = builtInSinks.find(({ type }) => type === "file")!;
  const parsed = definition.config.parse({ path: join(dataDir, "dead-letter", `${sink.name}.ndjson`) });
  return {
    ...sink,
    name: fileName(sink.name),
    type: "file",
    definition,
    options: parsed,
    limit: null,
    control: { ...sink.control, kind: "static", initial: 1, min: 1, max: 1 },
    batch: definition.hints(parsed),
    parallelism: 1,
    weights: new Map(),
    order: "none",
    whenFull: "block",
    retry: { ...sink.retry, maxAttempts: 0 },
    deadLetter: null,
  };
}
