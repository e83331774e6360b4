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
import { SinkUnit, type Surroundings } from "./sink_unit.ts";
import { buildPipeline, type LaneUnit } from "./pipeline.ts";
import { builtInSinks } from "../adapters/mod.ts";

interface Route {
  readonly deadLetter: DeadLetter;
  readonly lanes: readonly LaneUnit[];
  readonly close: () => void;
}

/** All routes. */
export class DeadLetters {
  readonly #routes: Map<string, Route> = new Map();

  /** Adds the files of sinks without `deadLetter` to `sinks`. */
  constructor(options: {
    config: Config;
    sinks: Map<string, SinkUnit>;
    idPrefix: string;
    around: Surroundings;
  }) {
    const { config, sinks, idPrefix, around } = options;
    const { segmentBytes } = config.buffers;
    const plans = planDeadLetters(config);
    const pool = new NetworkBufferPool({
      segmentBytes,
      segments: plans.reduce((sum, { segments }) => sum + segments, 0),
    });
    for (const { sink: name, segments } of plans) {
      const sink = config.sinks.get(name)!;
      const target = sink.deadLetter === null ? fileFor(sink, options) : sinks.get(sink.deadLetter)!;
      sinks.set(target.name, target);
      const stream = `dead-letter:${sink.name}`;
      const localPool = pool.createLocalPool({ name: stream, minSegments: segments, maxSegments: segments });
      const route: { deadLetter?: DeadLetter } = {};
      const { partition, lanes } = buildPipeline({
        stream,
        pool: localPool,
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
        // The pool of dead letters counts its segments anew: without a prefix of its own an id would come twice.
        idPrefix: `${idPrefix}dl-`,
        onRoom: () => route.deadLetter!.serve(),
      }, around);
      route.deadLetter = new DeadLetter({
        sink: sink.name,
        partition,
        wallTime: () => around.clock.wallMs(),
      });
      this.#routes.set(sink.name, {
        deadLetter: route.deadLetter,
        lanes,
        close: () => {
          partition.close();
          for (const lane of lanes) lane.close();
          localPool.lazyDestroy();
        },
      });
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
    for (const { lanes } of this.#routes.values()) for (const { lane } of lanes) lane.hurry();
  }

  /** Lets go of everything. */
  close(): void {
    for (const route of this.#routes.values()) route.close();
  }
}

function fileFor(sink: SinkConfig, options: { config: Config; around: Surroundings }): SinkUnit {
  const definition = builtInSinks.find(({ type }) => type === "file")!;
  const path = join(options.config.gateway.dataDir, "dead-letter", `${sink.name}.ndjson`);
  const parsed = definition.config.parse({ path });
  const name = `dead-letter:${sink.name}`;
  const config: SinkConfig = {
    ...sink,
    name,
    type: "file",
    definition,
    options: parsed,
    limit: null,
    control: { kind: "static", initial: 1, min: 1, max: 1 },
    batch: definition.hints(parsed),
    parallelism: 1,
    weights: new Map(),
    order: "none",
    whenFull: "block",
    retry: { ...sink.retry, maxAttempts: 0 },
    deadLetter: null,
  };
  return new SinkUnit(name, config, options.around, false);
}
