/**
 * What has left the config and has not ended: streams that still deliver what they hold, sinks that lanes still lead to,
 * and adapters that finish their writes for another that takes their place.
 *
 * Everything here ends by itself. A stream has `gateway.drainMs` to read what it is being sent; a sink that is gone from
 * the config has as long to take what is meant for it, then that is given up. A record whose sink is still in the config
 * is never given up by a reload, however long the sink is down. Nothing here waits for anything else.
 *
 * @module
 */
import type { Clock, Timer } from "./core/clock.ts";
import type { DeadLetters } from "./dead_letters.ts";
import type { DrainingSnapshot } from "./monitor/view.ts";
import type { LaneUnit } from "./pipeline.ts";
import type { SinkUnit, Surroundings } from "./sink_unit.ts";
import type { StreamUnit } from "./stream_unit.ts";

/** Why something goes. */
export type LeaveReason = DrainingSnapshot["why"];

interface Leaving {
  readonly why: LeaveReason;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly timer: Timer;
}

/** What works with those that leave. */
export interface RetirementParts {
  readonly around: Surroundings;
  /** `gateway.drainMs`. */
  readonly drainMs: () => number;
  /** Sinks by name; one that has ended is taken out. */
  readonly sinks: Map<string, SinkUnit>;
  readonly deadLetters: DeadLetters;
  /** Lanes of the streams that take requests. */
  readonly liveLanes: () => readonly LaneUnit[];
  /** A stream's unit has ended. */
  readonly onStreamEnd: (unit: StreamUnit) => void;
}

/** Those that leave. */
export class Retirement {
  /** Acknowledged records that were given up. */
  lostRecords = 0;
  readonly #parts: RetirementParts;
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #streams: Map<StreamUnit, Leaving> = new Map();
  readonly #sinks: Map<SinkUnit, Leaving> = new Map();
  readonly #finishing: Map<SinkUnit, Leaving> = new Map();

  /** Nothing leaves yet. */
  constructor(parts: RetirementParts) {
    this.#parts = parts;
    this.#clock = parts.around.clock;
  }

  /** Streams' units that have not ended, oldest first. */
  get streams(): StreamUnit[] {
    return [...this.#streams.keys()];
  }

  /** Sinks' units that are no longer among the sinks and have not closed. */
  get finishing(): SinkUnit[] {
    return [...this.#finishing.keys()];
  }

  /** Lanes that lead somewhere, of streams, old and new, and of dead letters. */
  get lanes(): LaneUnit[] {
    const lanes = [
      ...this.#parts.liveLanes(),
      ...this.streams.flatMap((unit) => unit.lanes),
      ...this.#parts.deadLetters.lanes,
    ];
    return lanes.filter((lane) => !lane.closed);
  }

  /** `unit` takes no more requests, and ends when it has delivered what it holds: now, if that is nothing. */
  retireStream(unit: StreamUnit, why: LeaveReason): void {
    if (unit.isIdle) return this.#endStream(unit);
    const { log } = this.#parts.around;
    this.#streams.set(unit, this.#leaving(why, () => unit.stopReading()));
    unit.hurry();
    log.info("stream drains", { stream: unit.name, why, records: unit.unsettledRecords });
    void this.#drainStream(unit);
  }

  /** `sink` is in the config (again). */
  keepSink(sink: SinkUnit): void {
    this.#sinks.get(sink)?.timer.cancel();
    this.#sinks.delete(sink);
  }

  /** `sink` is gone from the config: it ends when no lane leads to it. Harmless when it is told already. */
  retireSink(sink: SinkUnit): void {
    if (this.#sinks.has(sink)) return;
    this.#sinks.set(sink, this.#leaving("removed", () => this.#giveUpSink(sink)));
    const records = unsettledAt(sink, this.lanes);
    if (records === 0) return;
    const keptMs = this.#parts.drainMs();
    this.#parts.around.log.info("sink is kept until its records are settled", {
      sink: sink.name,
      records,
      keptMs,
    });
  }

  /** Another has taken the place of `sink`, and its lanes: it ends its writes and closes. */
  replaceSink(sink: SinkUnit): void {
    this.keepSink(sink);
    const patience = new AbortController();
    this.#finishing.set(sink, this.#leaving("changed", () => patience.abort()));
    void this.#closeSink(sink, patience.signal);
  }

  /** Ends the sinks that no lane leads to any more. */
  review(): void {
    const { sinks, deadLetters } = this.#parts;
    for (let ended = true; ended;) {
      ended = false;
      for (const sink of this.#sinks.keys()) {
        if (this.lanes.some((lane) => lane.sink === sink)) continue;
        this.#finishing.set(sink, this.#sinks.get(sink)!);
        this.keepSink(sink);
        sinks.delete(sink.name);
        // Its letters may have been the last that lead to another.
        deadLetters.remove(sink.name);
        void this.#closeSink(sink, AbortSignal.abort());
        ended = true;
      }
    }
  }

  /** What leaves, for whoever looks. */
  report(toWall: (ms: number) => number): DrainingSnapshot[] {
    const { lanes } = this;
    const row = (part: string, { why, sinceMs, untilMs }: Leaving, records: number): DrainingSnapshot => ({
      part,
      why,
      sinceAtMs: toWall(sinceMs),
      untilAtMs: toWall(untilMs),
      records,
    });
    return [
      ...[...this.#streams].map(([unit, leaving]) =>
        row(`stream/${unit.name}`, leaving, unit.unsettledRecords)
      ),
      ...[...this.#sinks].map(([sink, leaving]) =>
        row(`sink/${sink.name}`, leaving, unsettledAt(sink, lanes))
      ),
      ...[...this.#finishing].map(([sink, leaving]) => row(`sink/${sink.name}`, leaving, 0)),
    ];
  }

  /** Forgets the timers: the gateway has stopped. */
  close(): void {
    for (
      const { timer } of [...this.#streams.values(), ...this.#sinks.values(), ...this.#finishing.values()]
    ) {
      timer.cancel();
    }
    this.#streams.clear();
    this.#sinks.clear();
    this.#finishing.clear();
  }

  #leaving(why: LeaveReason, onOver: () => void): Leaving {
    const drainMs = this.#parts.drainMs();
    const sinceMs = this.#clock.nowMs();
    return { why, sinceMs, untilMs: sinceMs + drainMs, timer: this.#clock.setTimer(onOver, drainMs) };
  }

  async #drainStream(unit: StreamUnit): Promise<void> {
    await unit.drained();
    unit.hurry();
    await unit.settled();
    if (this.#streams.has(unit)) this.#endStream(unit);
    this.review();
  }

  #endStream(unit: StreamUnit): void {
    const drained = this.#streams.get(unit);
    drained?.timer.cancel();
    this.#streams.delete(unit);
    // Only those that wait for a lane that was given up are still there.
    unit.stopRequests();
    this.lostRecords += unit.abandon();
    this.#parts.onStreamEnd(unit);
    if (drained) this.#parts.around.log.info("stream has drained", { stream: unit.name, why: drained.why });
  }

  #giveUpSink(sink: SinkUnit): void {
    const { around, deadLetters } = this.#parts;
    const lanes = this.lanes.filter((lane) => lane.sink === sink);
    const records = unsettledAt(sink, lanes);
    let lostRecords = 0;
    deadLetters.drop(sink.name);
    for (const unit of this.#streams.keys()) {
      unit.stopReading();
      lostRecords += unit.giveUp(unit.lanes.filter((lane) => lane.sink === sink));
    }
    // Those of dead letters; their records are sent on by the route that leads elsewhere now.
    for (const lane of lanes) lane.close();
    this.lostRecords += lostRecords;
    if (records > 0) {
      around.log.error("gave up the records of a sink that is gone from the config", {
        sink: sink.name,
        reason: sink.gate.reason || "they were not settled within gateway.drainMs",
        records,
        lostRecords,
      });
    }
    this.review();
  }

  async #closeSink(sink: SinkUnit, patience: AbortSignal): Promise<void> {
    const { log } = this.#parts.around;
    try {
      await sink.finish(patience);
      log.info("sink is closed", { sink: sink.name });
    } catch (error) {
      log.error("cannot close sink", {
        sink: sink.name,
        reason: error instanceof Error ? error.message : String(error),
      });
    } finally {
      this.#finishing.get(sink)?.timer.cancel();
      this.#finishing.delete(sink);
    }
  }
}

function unsettledAt(sink: SinkUnit, lanes: readonly LaneUnit[]): number {
  return lanes.reduce((sum, unit) => sum + (unit.sink === sink ? unit.lane.input.unsettledRecords : 0), 0);
}
