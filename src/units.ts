/**
 * What runs: the units of all streams and sinks, and how one config takes the place of another. The first config is
 * taken like every later one.
 *
 * A unit that both configs would build alike is not touched. A stream that changed gets a new unit for new requests,
 * while the old one delivers what it has. A sink is known by its name: one that changed takes over the lanes of the old
 * one with all that they hold, so nothing is lost, and nothing that a stream promised changes hands.
 *
 * All of it happens in one turn of the event loop, so no request sees half a config, and no part waits for another.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { NetworkBufferPool } from "./buffer/network_buffer_pool.ts";
import type { Config, SegmentPlan, SinkConfig } from "./config.ts";
import { ConfigError } from "./core/errors.ts";
import { DeadLetters, sinksWithFiles } from "./dead_letters.ts";
import type { DecoderBudget } from "./ingress/decoder.ts";
import { Retirement } from "./retirement.ts";
import { Sources } from "./sources.ts";
import { SinkUnit, type Surroundings } from "./sink_unit.ts";
import { StreamAccount } from "./stream_account.ts";
import { sameShape, type StreamShape, streamShape } from "./stream_shape.ts";
import { StreamUnit } from "./stream_unit.ts";

/** Names by what a reload did to them. */
export interface NameChanges {
  /** New ones. */
  readonly added: readonly string[];
  /** Those that are otherwise from now on. */
  readonly changed: readonly string[];
  /** Those that are gone. */
  readonly removed: readonly string[];
}

/** What a config changed. */
export interface UnitChanges {
  /** Streams. */
  readonly streams: NameChanges;
  /** Sinks. */
  readonly sinks: NameChanges;
  /** Sources. */
  readonly sources: NameChanges;
}

/** All units of one stream. */
export interface StreamUnits {
  /** The one that takes requests, or took them last, then older ones that still deliver; at least one. */
  readonly units: readonly StreamUnit[];
  /** What those before them counted; undefined when there were none. */
  readonly account: StreamAccount | undefined;
}

/** What all units are built with. */
export interface UnitParts {
  readonly network: NetworkBufferPool;
  readonly decoders: DecoderBudget;
  /** What every record id begins with. */
  readonly idPrefix: string;
  readonly around: Surroundings;
}

/** The units. */
export class Units {
  /** Streams that take requests, by name. */
  readonly streams: Map<string, StreamUnit> = new Map();
  /** Sinks that lanes lead to, by name, the files of dead letters included; also those that are gone from the config. */
  readonly sinks: Map<string, SinkUnit> = new Map();
  /** Where refused records go. */
  readonly deadLetters: DeadLetters;
  /** Where the gateway itself fetches records. */
  readonly sources: Sources;
  /** What has left the config and has not ended. */
  readonly retirement: Retirement;
  readonly #parts: UnitParts;
  readonly #accounts: Map<string, StreamAccount> = new Map();
  #config: Config | null = null;
  #isOpen = false;

  /** Nothing runs before the first `apply`. */
  constructor(parts: UnitParts) {
    this.#parts = parts;
    this.deadLetters = new DeadLetters(parts);
    this.sources = new Sources({
      around: parts.around,
      door: (stream) => this.streams.get(stream)!.door,
      deadLetter: (sink) => this.deadLetters.of(sink),
    });
    this.retirement = new Retirement({
      around: parts.around,
      drainMs: () => this.#config!.gateway.drainMs,
      sinks: this.sinks,
      deadLetters: this.deadLetters,
      liveLanes: () => [...this.streams.values()].flatMap((unit) => unit.lanes),
      onStreamEnd: (unit) => this.#account(unit),
    });
  }

  /** Every stream's unit that has not ended. */
  allStreams(): StreamUnit[] {
    return [...this.streams.values(), ...this.retirement.streams];
  }

  /** Every sink's unit that has not closed. */
  allSinks(): SinkUnit[] {
    return [...this.sinks.values(), ...this.retirement.finishing];
  }

  /** The units by stream, in the order of the config; behind them streams that are gone and still deliver. */
  byStream(): StreamUnits[] {
    const leaving = this.retirement.streams.reverse();
    const names = new Set([...this.streams.keys(), ...leaving.map((unit) => unit.name)]);
    return [...names].map((name) => {
      const live = this.streams.get(name);
      const older = leaving.filter((unit) => unit.name === name);
      return { units: live ? [live, ...older] : older, account: this.#accounts.get(name) };
    });
  }

  /** Opens the sinks; resolves after the first try of each. Sinks that come later are opened as they come. */
  async open(): Promise<void> {
    this.#isOpen = true;
    await Promise.all([...this.sinks.values()].map((sink) => sink.open()));
  }

  /**
   * Runs `config` from now on, whose plan is `plan`. Throws `ConfigError`, with nothing changed, when its streams do not
   * fit the pool beside those that still deliver.
   */
  apply(config: Config, plan: SegmentPlan): UnitChanges {
    const shapes = [...config.streams.keys()].map((name) => streamShape(name, config, plan));
    const kept = new Map(
      shapes.map((shape) => [shape.config.name, this.streams.get(shape.config.name)] as const)
        .filter(([, unit], k) => unit !== undefined && sameShape(unit.shape, shapes[k])),
    );
    const leaving = [...this.streams.values()].filter((unit) => !kept.has(unit.name));
    this.#requireRoom(leaving, shapes.filter(({ config: { name } }) => !kept.has(name)));
    const changes = changesBetween(this.#config, config, new Set(kept.keys()));

    this.#config = config;
    this.#applySinks(config);
    this.deadLetters.update(config, this.sinks, () => this.retirement.review());
    const before = new Map([...this.retirement.streams, ...leaving].map((unit) => [unit.name, unit]));
    this.streams.clear();
    for (const unit of leaving) {
      this.retirement.retireStream(unit, config.streams.has(unit.name) ? "changed" : "removed");
    }
    for (const shape of shapes) {
      const { name } = shape.config;
      this.streams.set(name, kept.get(name) ?? this.#build(shape, before.get(name) ?? null));
    }
    const wanted = sinksWithFiles(config);
    for (const sink of [...this.sinks.values()]) if (!wanted.has(sink.name)) this.retirement.retireSink(sink);
    this.#moveLanes();
    this.sources.apply(config);
    this.retirement.review();
    this.#forgetAccounts();
    return changes;
  }

  /** A stream that ends at once makes room for its successor; one that still delivers keeps what it is guaranteed. */
  #requireRoom(leaving: readonly StreamUnit[], fresh: readonly StreamShape[]): void {
    const { network } = this.#parts;
    const ends = leaving.filter((unit) => unit.isIdle);
    const sum = (segments: readonly number[]) => segments.reduce((total, each) => total + each, 0);
    const needed = network.requiredSegments - sum(ends.map((unit) => unit.pool.minSegments)) +
      sum(fresh.map((shape) => shape.plan.minSegments));
    if (needed <= network.totalSegments) return;
    const draining = [...leaving.filter((unit) => !unit.isIdle), ...this.retirement.streams];
    const list = draining.map(({ name, pool }) => `${name} ${pool.minSegments}`).join(" + ");
    throw new ConfigError([
      `buffers.segments: must also hold the guaranteed segments of streams that still deliver (${list}), ` +
      `${needed} in all, but is ${network.totalSegments}; reload again when they have drained, or give the streams ` +
      `a smaller minSegments`,
    ]);
  }

  #applySinks(config: Config): void {
    const { around } = this.#parts;
    const before = new Map(this.sinks);
    this.sinks.clear();
    for (const [name, { eager, ...wanted }] of sinksWithFiles(config)) {
      const running = before.get(name) ?? null;
      before.delete(name);
      if (running !== null && sameSink(running.config, wanted)) {
        running.adopt(wanted);
        this.retirement.keepSink(running);
        this.sinks.set(name, running);
        continue;
      }
      const sink = new SinkUnit(name, wanted, around, eager, running);
      this.sinks.set(name, sink);
      if (running === null) {
        if (this.#isOpen) void sink.open();
        continue;
      }
      for (const lane of this.retirement.lanes) if (lane.sink === running) lane.moveTo(sink, lane.weight);
      this.retirement.replaceSink(running);
      if (this.#isOpen) void sink.open();
    }
    // Behind the others: those that lanes of older units may still lead to.
    for (const [name, sink] of before) this.sinks.set(name, sink);
  }

  #build(shape: StreamShape, predecessor: StreamUnit | null): StreamUnit {
    const { network, decoders, idPrefix, around } = this.#parts;
    const unit = new StreamUnit({
      shape,
      predecessor,
      network,
      sinks: this.sinks,
      deadLetter: (sink) => this.deadLetters.of(sink),
      decoders,
      idPrefix,
      around,
    });
    for (const { lane, sink } of unit.lanes) {
      if (sink.config.order === "none" && sink.config.batch.inOrder !== true) continue;
      const ahead = this.retirement.streams.filter(({ name }) => name === unit.name)
        .flatMap(({ lanes }) => lanes)
        .filter((older) => older.lane.sink === lane.sink && !older.closed && older.lane.input.held > 0);
      if (ahead.length > 0) lane.holdBack(Promise.all(ahead.map((older) => older.lane.settled())));
    }
    return unit;
  }

  /** A weight may have changed under a lane. */
  #moveLanes(): void {
    for (const unit of this.streams.values()) {
      for (const lane of unit.lanes) lane.moveTo(lane.sink, lane.sink.config.weights.get(unit.name) ?? 1);
    }
  }

  #account(unit: StreamUnit): void {
    let account = this.#accounts.get(unit.name);
    if (account === undefined) this.#accounts.set(unit.name, account = new StreamAccount());
    account.add(unit);
    this.#forgetAccounts();
  }

  /** A stream that is gone, and comes back later, is a new one. */
  #forgetAccounts(): void {
    const names = new Set([
      ...this.#config!.streams.keys(),
      ...this.retirement.streams.map(({ name }) => name),
    ]);
    for (const name of this.#accounts.keys()) if (!names.has(name)) this.#accounts.delete(name);
  }
}

/** Whether a running unit of `a` can go on as one of `b`: all but what can change while it runs is alike. */
function sameSink(a: SinkConfig, b: SinkConfig): boolean {
  return isDeepStrictEqual(fixedPart(a), fixedPart(b));
}

function fixedPart(
  { limit: _limit, weights: _weights, deadLetter: _deadLetter, definition, ...rest }: SinkConfig,
): unknown {
  // A module's definition is wrapped anew with each load of the config; what opens the sink is the module's.
  return { ...rest, open: definition.open };
}

function changesBetween(before: Config | null, after: Config, kept: ReadonlySet<string>): UnitChanges {
  const names = <T>(
    old: ReadonlyMap<string, T>,
    now: ReadonlyMap<string, T>,
    isSame: (name: string) => boolean,
  ): NameChanges => ({
    added: [...now.keys()].filter((name) => !old.has(name)),
    changed: [...now.keys()].filter((name) => old.has(name) && !isSame(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
  });
  const { streams = new Map(), sinks = new Map(), sources = new Map() } = before ?? {};
  return {
    streams: names(streams, after.streams, (name) => kept.has(name)),
    sinks: names(sinks, after.sinks, (name) => {
      const [old, now] = [sinks.get(name)!, after.sinks.get(name)!];
      return sameSink(old, now) && isDeepStrictEqual(old.limit, now.limit) &&
        old.deadLetter === now.deadLetter;
    }),
    sources: names(
      sources,
      after.sources,
      (name) => isDeepStrictEqual(sources.get(name), after.sources.get(name)),
    ),
  };
}
