/**
 * The sources that run, and how one config takes the place of another. A source that changed, or is gone, fetches
 * nothing more, waits for what it put into its stream, commits it and leaves its group; one of the same name begins
 * when that is done, so that it does not read again what was in flight.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { loadClient } from "../adapters/kafka/client.ts";
import { securityOf } from "../adapters/kafka/security.ts";
import type { Config, SourceConfig } from "./config.ts";
import { sleep } from "./core/clock.ts";
import type { StreamDoor } from "./ingress/stream_door.ts";
import type { DeadLetter } from "./lane/dead_letter.ts";
import type { KafkaSourceSnapshot } from "./monitor/view.ts";
import { CLOSE_MS, type Surroundings } from "./sink_unit.ts";
import type { KafkaConnection } from "./source/group_member.ts";
import { KafkaSource } from "./source/kafka_source.ts";

/** What sources are built with. */
export interface SourceParts {
  /** Time, chance, log. */
  readonly around: Surroundings;
  /** The door of a stream of the config. */
  readonly door: (stream: string) => StreamDoor;
  /** The dead letters of a sink. */
  readonly deadLetter: (sink: string) => DeadLetter;
}

interface Running {
  readonly config: SourceConfig;
  readonly source: KafkaSource;
}

/** All sources. */
export class Sources {
  readonly #parts: SourceParts;
  readonly #running: Map<string, Running> = new Map();
  /** Those that leave, by name; resolved when they have left. */
  readonly #leaving: Map<string, Promise<void>> = new Map();
  #config: Config | null = null;
  #isOpen = false;
  #stopped = false;

  /** None runs before the first `apply`. */
  constructor(parts: SourceParts) {
    this.#parts = parts;
  }

  /** Runs the sources of `config` from now on. */
  apply(config: Config): void {
    this.#config = config;
    for (const [name, running] of [...this.#running]) {
      if (isDeepStrictEqual(config.sources.get(name), running.config)) continue;
      this.#running.delete(name);
      const ahead = this.#leaving.get(name) ?? Promise.resolve();
      this.#leaving.set(name, ahead.then(() => this.#retire(running)));
    }
    for (const [name, wanted] of config.sources) {
      const running = this.#running.get(name);
      if (running === undefined) this.#add(name, wanted);
      else running.source.rebind();
    }
  }

  /** Starts them: the sinks are open. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    for (const [name, { source }] of this.#running) this.#start(name, source);
  }

  /** Fetches nothing more. */
  stop(): void {
    this.#stopped = true;
    for (const { source } of this.#running.values()) source.stop();
  }

  /** Commits what is settled and leaves the groups, at most until `signal` is aborted. Returns those that could not, with the reason. */
  async close(signal: AbortSignal): Promise<string[]> {
    this.stop();
    const failures: string[] = [];
    await Promise.all([...this.#running.values()].map(async ({ source }) => {
      try {
        await source.close(signal);
      } catch (error) {
        failures.push(`source ${source.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }));
    return failures;
  }

  /** As plain data. */
  snapshot(): KafkaSourceSnapshot[] {
    return [...this.#running.values()].map(({ config, source }) => {
      const { taken, refused, resets } = source.counts;
      return {
        name: source.name,
        stream: config.stream,
        state: source.state,
        reason: source.reason,
        takenRecords: taken,
        refusedRecords: refused,
        offsetResets: resets,
        heldBytes: source.session?.heldBytes ?? 0,
        partitions: [...source.session?.readers ?? []].map((reader) => ({
          topic: reader.topic,
          partition: reader.partition,
          position: reader.position,
          committed: reader.committed < 0 ? null : reader.committed,
          lag: reader.highWatermark === null ? null : Math.max(0, reader.highWatermark - reader.committed),
          paused: reader.isPaused,
        })),
      };
    });
  }

  #add(name: string, config: SourceConfig): void {
    const { around, door, deadLetter } = this.#parts;
    const log = around.log.child({ source: name });
    const source = new KafkaSource({
      name,
      topics: config.topics,
      groupId: config.groupId,
      startAt: config.startAt,
      readsUncommitted: config.isolation === "read_uncommitted",
      fetchBytes: config.fetchBytes,
      maxWaitMs: config.maxWaitMs,
      commitMs: config.commitMs,
      connection: () => connectionOf(config),
      door: () => door(config.stream),
      // Every sink of the stream would have got it: it is told once, where the first one's refused records are.
      refuse: (record) => deadLetter(this.#config!.streams.get(config.stream)!.sinks[0]).submit(record),
      clock: around.clock,
      log,
    });
    this.#running.set(name, { config, source });
    if (this.#isOpen) this.#start(name, source);
  }

  #start(name: string, source: KafkaSource): void {
    const ahead = this.#leaving.get(name);
    if (ahead === undefined) return source.start();
    void ahead.then(() => {
      if (!this.#stopped && this.#running.get(name)?.source === source) source.start();
    });
  }

  /** Never rejects. */
  async #retire({ source }: Running): Promise<void> {
    const { clock, log } = this.#parts.around;
    source.stop();
    const patience = new AbortController();
    const over = sleep(clock, this.#config!.gateway.drainMs, patience.signal).catch(() => {}); // it settled before
    await Promise.race([source.settled(), over]);
    patience.abort();
    const late = new AbortController();
    const timer = clock.setTimer(
      () => late.abort(new Error(`the source did not leave its group within ${CLOSE_MS} ms`)),
      CLOSE_MS,
    );
    try {
      await source.close(late.signal);
      log.info("source is closed", { source: source.name });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error("cannot close source", { source: source.name, reason });
    } finally {
      timer.cancel();
    }
  }
}

async function connectionOf(config: SourceConfig): Promise<KafkaConnection> {
  return {
    library: await loadClient(),
    clientId: config.clientId,
    bootstrapBrokers: [...config.brokers],
    timeout: config.requestTimeoutMs,
    ...await securityOf(config),
  };
}
