/**
 * One sink of the gateway: its gate, and one writer for each of its adapters.
 *
 * @module
 */
import type { SinkConfig } from "./config.ts";
import { writesInFlight } from "./config.ts";
import type { Clock } from "./core/clock.ts";
import type { Logger } from "./core/log.ts";
import { SinkGate } from "./lane/sink_gate.ts";
import { SinkWriter } from "./lane/sink_writer.ts";
import type { Limits } from "./limit/token_bucket.ts";
import { toLimits } from "./limits_of.ts";

/** What every part of the gateway is built with. */
export interface Surroundings {
  /** Time. */
  readonly clock: Clock;
  /** Chance, 0 to 1. */
  readonly random: () => number;
  /** Log. */
  readonly log: Logger;
  /** Folder for what must be kept. */
  readonly dataDir: string;
}

/** The sink. */
export class SinkUnit {
  /** Name in the config; `dead-letter:NAME` for the file that a sink without `deadLetter` has. */
  readonly name: string;
  /** Its config. */
  readonly config: SinkConfig;
  /** What its lanes share. */
  readonly gate: SinkGate;
  /** One per adapter. */
  readonly writers: readonly SinkWriter[];
  /** Whether it is opened with the gateway, or when it is first needed. */
  readonly eager: boolean;

  /** Opens nothing yet. */
  constructor(name: string, config: SinkConfig, around: Surroundings, eager: boolean) {
    this.name = name;
    this.config = config;
    this.eager = eager;
    this.gate = new SinkGate({
      sink: name,
      clock: around.clock,
      limits: toLimits(config.limit),
      inFlightLimit: config.control.initial,
      downAfterMs: config.downAfterMs,
      lazy: !eager,
      log: around.log,
    });
    this.writers = Array.from({ length: config.parallelism }, (_, writer) =>
      new SinkWriter({
        gate: this.gate,
        writesInFlight: writesInFlight(config),
        framingBytes: config.batch.framingBytes,
        timeoutMs: config.timeoutMs,
        retry: config.retry,
        clock: around.clock,
        random: around.random,
        log: around.log,
        open: async () =>
          await config.definition.open(config.options, {
            sink: name,
            writer,
            writers: config.parallelism,
            dataDir: around.dataDir,
            clock: around.clock,
            log: around.log.child({ sink: name }),
          }),
      }));
  }

  /** Opens every writer; one that fails goes on trying. */
  async open(): Promise<void> {
    if (this.eager) await Promise.all(this.writers.map((writer) => writer.openNow()));
  }

  /** Changes the static limit. */
  setLimits(limits: Limits): void {
    this.gate.setLimits(limits);
  }

  /** Closes every writer when its writes have settled, or when `signal` is aborted. */
  async close(signal: AbortSignal): Promise<void> {
    const ends = await Promise.allSettled(this.writers.map((writer) => writer.close(signal)));
    this.gate.close();
    const failed = ends.find((end) => end.status === "rejected");
    if (failed) throw failed.reason;
  }
}
