/**
 * One sink of the gateway: its gate, and one writer for each of its adapters.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { PidAdmission } from "./admission/pid_admission.ts";
import type { SourceControl } from "./admission/source_control.ts";
import { WatermarkAdmission } from "./admission/watermark_admission.ts";
import type { SinkConfig } from "./config.ts";
import { writeControl, writesInFlight } from "./config.ts";
import { type Clock, rejectedBy } from "./core/clock.ts";
import type { Logger } from "./core/log.ts";
import { SinkGate } from "./lane/sink_gate.ts";
import { SinkProbe } from "./lane/sink_probe.ts";
import { SinkWriter } from "./lane/sink_writer.ts";
import type { Limits } from "./limit/token_bucket.ts";
import { toLimits } from "./limits_of.ts";
import { StatusCounts } from "./sink/status_counts.ts";

/** What closing an adapter takes at most. */
export const CLOSE_MS = 2_000;

/** What every part of the gateway is built with. */
export interface Surroundings {
  /** Time. */
  readonly clock: Clock;
  /** Chance, 0 to 1. */
  readonly random: () => number;
  /** Log. */
  readonly log: Logger;
  /** Id of the gateway. */
  readonly gateway: string;
  /** Folder for what must be kept. */
  readonly dataDir: string;
}

/** The sink. */
export class SinkUnit {
  /** Name in the config; `dead-letter:NAME` for the file that a sink without `deadLetter` has. */
  readonly name: string;
  /** What its lanes share. */
  readonly gate: SinkGate;
  /** What bounds the streams that bring records to it, or null. */
  readonly source: SourceControl | null;
  /** Records by the status that the sink answered for them; they go on when a reload replaces the unit. */
  readonly answers: StatusCounts;
  /** One per adapter. */
  readonly writers: readonly SinkWriter[];
  /** Whether it is opened with the gateway, or when it is first needed. */
  readonly eager: boolean;
  #config: SinkConfig;
  readonly #probe: SinkProbe;
  readonly #clock: Clock;
  readonly #whenClosed: Promise<void>;
  readonly #tellClosed: () => void;

  /**
   * Opens nothing yet. A `predecessor` had the name before: what belongs to the name goes on, and this one opens when
   * that one has closed, as two cannot write one file, nor keep the order of one lane between them.
   */
  constructor(
    name: string,
    config: SinkConfig,
    around: Surroundings,
    eager: boolean,
    predecessor: SinkUnit | null = null,
  ) {
    this.name = name;
    this.#config = config;
    this.eager = eager;
    this.#clock = around.clock;
    const keepsSource = predecessor !== null &&
      isDeepStrictEqual(sourceOf(config), sourceOf(predecessor.config));
    this.source = keepsSource ? predecessor.source : newSource(config, around.clock);
    this.answers = predecessor?.answers ?? new StatusCounts();
    this.gate = new SinkGate({
      sink: name,
      clock: around.clock,
      limits: toLimits(config.limit),
      control: writeControl(config),
      downAfterMs: config.downAfterMs,
      lazy: !eager,
      observer: this.source instanceof PidAdmission ? this.source : undefined,
      predecessor: predecessor?.gate,
      log: around.log,
    });
    if (predecessor !== null) this.#applyLimit(predecessor.config);
    const closed = Promise.withResolvers<void>();
    this.#whenClosed = closed.promise;
    this.#tellClosed = closed.resolve;
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
        after: predecessor?.whenClosed,
        open: async () =>
          await config.definition.open(config.options, {
            gateway: around.gateway,
            sink: name,
            writer,
            writers: config.parallelism,
            dataDir: around.dataDir,
            clock: around.clock,
            log: around.log.child({ sink: name }),
            failing: (reason) => this.gate.failed(reason),
            answers: this.answers,
          }),
      }));
    this.#probe = new SinkProbe({
      gate: this.gate,
      writers: this.writers,
      retry: config.retry,
      timeoutMs: config.timeoutMs,
      clock: around.clock,
      random: around.random,
    });
  }

  /** Opens every writer; one that fails goes on trying. */
  async open(): Promise<void> {
    if (this.eager) await Promise.all(this.writers.map((writer) => writer.openNow()));
  }

  /** Its config. */
  get config(): SinkConfig {
    return this.#config;
  }

  /** Resolves when it has closed, or has been left to itself as it did not. */
  get whenClosed(): Promise<void> {
    return this.#whenClosed;
  }

  /** The writer of lane number `writer`, which may have been given to it when there were more. */
  writerFor(writer: number): SinkWriter {
    return this.writers[writer % this.writers.length];
  }

  /** Takes a config over that differs in what can change while it runs: the limit, and who uses it. */
  adopt(config: SinkConfig): void {
    const before = this.#config;
    this.#config = config;
    this.#applyLimit(before);
  }

  /** A limit that an operator set holds on until the config's changes. */
  #applyLimit(before: SinkConfig): void {
    if (!isDeepStrictEqual(before.limit, this.#config.limit)) this.setLimits(toLimits(this.#config.limit));
  }

  /** Changes the static limit. */
  setLimits(limits: Limits): void {
    this.gate.setLimits(limits);
  }

  /**
   * Lets its writes in flight end, at most until `patience` is aborted, and closes it within `CLOSE_MS`. No lane is at it
   * any more. Rejects when it cannot be closed.
   */
  async finish(patience: AbortSignal): Promise<void> {
    await Promise.all(this.writers.map((writer) => writer.whenIdle(patience)));
    const late = new AbortController();
    const error = new Error(`the sink did not close within ${CLOSE_MS} ms`);
    const timer = this.#clock.setTimer(() => late.abort(error), CLOSE_MS);
    try {
      await Promise.race([this.close(late.signal), rejectedBy(late.signal)]);
    } finally {
      timer.cancel();
      this.#tellClosed();
    }
  }

  /** Closes every writer when its writes, which are aborted, have settled, or when `signal` is aborted. */
  async close(signal: AbortSignal): Promise<void> {
    this.#probe.close();
    try {
      const ends = await Promise.allSettled(this.writers.map((writer) => writer.close(signal)));
      const failed = ends.find((end) => end.status === "rejected");
      if (failed) throw failed.reason;
    } finally {
      this.gate.close();
      this.#tellClosed();
    }
  }
}

/** What makes the controller of the source what it is: another needs another. */
function sourceOf(config: SinkConfig): unknown {
  return { control: config.control, slots: slotsOf(config) };
}

function newSource(config: SinkConfig, clock: Clock): SourceControl | null {
  const { kind, minRecordsPerSecond, highMark, lowMark } = config.control;
  if (kind === "pid") return new PidAdmission({ clock, minRecordsPerSecond, slots: slotsOf(config) });
  return kind === "watermark" ? new WatermarkAdmission({ high: highMark, low: lowMark }) : null;
}

/** Writes that may be under way at a time. */
function slotsOf(config: SinkConfig): number {
  return Math.min(config.control.initial, config.parallelism * writesInFlight(config));
}
