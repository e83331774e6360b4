/**
 * A sink that behaves as badly as a seed says: slow, flapping, standing still, failing, lying. What it stores, it
 * tells the book, and what the lane promises it (order, limits, throttle, pause, memory that stays) it checks.
 *
 * @module
 */
import { assert, assertEquals, AssertionError } from "@std/assert";
import { z } from "zod";
import { type SinkConfig, writeControl, writesInFlight } from "../../src/config.ts";
import {
  type Batch,
  NO_PRESSURE,
  Outcome,
  type Pressure,
  SATURATED,
  type SinkAdapter,
  type SinkDefinition,
  type WriteResult,
} from "../../src/sink/adapter.ts";
import type { SinkGate } from "../../src/lane/sink_gate.ts";
import { BucketWatch } from "./bucket_watch.ts";
import type { Book } from "./book.ts";
import type { Chance } from "./chance.ts";
import { readRecord, type Sighting } from "./sim_record.ts";
import type { SimClock } from "./sim_clock.ts";
import { type Mode, WELL } from "./sink_modes.ts";
import type { Tally } from "./tally.ts";

/** What a sink is given beside its config. */
export interface ScriptParts {
  readonly config: SinkConfig;
  readonly clock: SimClock;
  readonly chance: Chance;
  readonly book: Book;
  readonly tally: Tally;
  /** Bodies of encoded bytes above it are too large. */
  readonly maxWriteBytes: number;
  /** Told that a promise was settled, so that its callbacks must run. */
  readonly settled: () => void;
  /** Told of a broken promise of the lane. */
  readonly onFault: (error: AssertionError) => void;
}

/** One scripted sink, all writers of it. */
export class ScriptedSink {
  readonly #parts: ScriptParts;
  readonly #bucket: BucketWatch;
  readonly #inFlightKeys: Set<string> = new Set();
  readonly #stalled: Set<() => void> = new Set();
  #mode: Mode = WELL;
  /** Writes by writer. */
  readonly #inFlight: Map<number, number> = new Map();
  #throttledUntilMs = 0;
  #opens = 0;
  /** The gate of the sink, to see whether it is paused. */
  gate: SinkGate | null = null;

  /** In the best of modes. */
  constructor(parts: ScriptParts) {
    this.#parts = parts;
    this.#bucket = new BucketWatch(parts.config.name, parts.config.limit);
  }

  /** Another mode; what stood still is answered when that one does not stand still. */
  behave(mode: Mode): void {
    this.#mode = mode;
    if (mode.stalls > 0) return;
    for (const answer of [...this.#stalled]) answer();
  }

  /** From now on all is well. */
  heal(): void {
    this.behave(WELL);
  }

  /** The sink has another limit. */
  limitChanged(limit: Parameters<BucketWatch["change"]>[0]): void {
    this.#bucket.change(limit);
  }

  /** Opens a writer; fails now and then. */
  open(writer: number): SinkAdapter {
    if (this.#mode.fails > 0 && this.#parts.chance.happens(0.3)) throw new Error("cannot connect");
    this.#opens++;
    return {
      write: (batch, signal) => {
        try {
          return this.#write(writer, batch, signal);
        } catch (error) {
          // The lane takes what an adapter throws for a failed write.
          if (error instanceof AssertionError) this.#parts.onFault(error);
          throw error;
        }
      },
      check: () => {},
      close: () => {
        assert(--this.#opens >= 0, "a sink is closed once");
      },
    };
  }

  #write(writer: number, batch: Batch, signal: AbortSignal): WriteResult | Promise<WriteResult> {
    const { chance, clock, tally } = this.#parts;
    const sightings = this.#begin(writer, batch);
    const mode = this.#mode;
    tally.add("writes");
    const encoded = batch.bytes + batch.count * this.#parts.config.batch.framingBytes;
    const stalls = chance.happens(mode.stalls);
    if (!stalls && chance.happens(mode.atOnce)) {
      this.#end(writer, batch, sightings);
      if (chance.happens(mode.fails)) {
        this.#storeSome(batch, sightings);
        throw new Error("the sink broke");
      }
      const result = this.#answer(mode, batch, encoded, sightings);
      this.#throttled(result);
      return result;
    }
    const { promise, resolve, reject } = Promise.withResolvers<WriteResult>();
    // Before the gateway's own callback, which is the first to know of the throttle.
    promise.then((result) => this.#throttled(result), () => {});
    const answer = (): void => {
      if (!this.#stalled.delete(answer)) return;
      this.#end(writer, batch, sightings);
      this.#parts.settled();
      if (signal.aborted || chance.happens(mode.fails)) {
        if (signal.aborted) tally.add("writes aborted");
        this.#storeSome(batch, sightings);
        reject(new Error(signal.aborted ? "aborted" : "the connection was lost"));
      } else {
        resolve(this.#answer(mode, batch, encoded, sightings));
      }
    };
    this.#stalled.add(answer);
    if (!stalls) clock.setTimer(answer, chance.between(mode.delayMs[0], mode.delayMs[1]));
    const lateMs = chance.happens(0.5) ? 0 : chance.between(1, 300);
    signal.addEventListener("abort", () => clock.setTimer(answer, lateMs), { once: true });
    return promise;
  }

  /** Checks what the lane promises of the start of a write. */
  #begin(writer: number, batch: Batch): Sighting[] {
    const { config, clock } = this.#parts;
    const now = clock.nowMs();
    assert(batch.count > 0, `sink ${config.name}: a batch holds at least one record`);
    assert(!this.gate!.paused, `sink ${config.name}: no write starts while it is paused`);
    assert(
      now >= this.#throttledUntilMs,
      `sink ${config.name}: a write starts at ${now}, throttled until ${this.#throttledUntilMs}`,
    );
    const { maxRecords, maxBytes, framingBytes } = config.batch;
    const encoded = batch.bytes + batch.count * framingBytes;
    assert(
      batch.count <= maxRecords && (encoded <= maxBytes || batch.count === 1),
      `sink ${config.name}: ${batch.count} records of ${encoded} bytes in one batch`,
    );
    this.#bucket.start(batch.count, encoded, now);
    this.#startWrite(writer);
    const sightings: Sighting[] = [];
    let bytes = 0;
    for (let i = 0; i < batch.count; i++) {
      const sighting = readRecord(batch.value(i));
      bytes += batch.valueLength(i);
      this.#checkKey(batch, i, sighting);
      sightings.push(sighting);
    }
    assertEquals(bytes, batch.bytes, `sink ${config.name}: bytes of a batch`);
    for (const name of this.#inFlightNames(writer, batch, sightings)) {
      assert(
        !this.#inFlightKeys.has(name),
        `sink ${config.name}: two writes with ${name} are in flight together`,
      );
      this.#inFlightKeys.add(name);
    }
    return sightings;
  }

  #startWrite(writer: number): void {
    const { config } = this.#parts;
    const { kind, initial, max } = writeControl(config);
    const ofWriter = (this.#inFlight.get(writer) ?? 0) + 1;
    this.#inFlight.set(writer, ofWriter);
    const ofSink = [...this.#inFlight.values()].reduce((sum, writes) => sum + writes);
    const mostOfSink = kind === "static" ? initial : max;
    assert(
      ofWriter <= writesInFlight(config) && ofSink <= mostOfSink,
      `sink ${config.name}: ${ofWriter} writes of one writer and ${ofSink} of all are in flight, ` +
        `allowed are ${writesInFlight(config)} and ${mostOfSink}`,
    );
  }

  #checkKey(batch: Batch, i: number, sighting: Sighting): void {
    if (sighting.letter !== null) return;
    const key = batch.key(i);
    const expected = this.#parts.book.keyOf(sighting.record);
    assertEquals(
      key === null ? "" : String.fromCharCode(...key),
      expected,
      `key of record ${sighting.record}`,
    );
  }

  /** The write is over: its memory must still be what it was. */
  #end(writer: number, batch: Batch, sightings: readonly Sighting[]): void {
    this.#inFlight.set(writer, this.#inFlight.get(writer)! - 1);
    const last = batch.count - 1;
    for (const i of last === 0 ? [0] : [0, last]) {
      assertEquals(
        readRecord(batch.value(i)).record,
        sightings[i].record,
        `sink ${this.#parts.config.name}: the memory of a write in flight was given to someone else`,
      );
    }
    for (const name of this.#inFlightNames(writer, batch, sightings)) this.#inFlightKeys.delete(name);
  }

  #inFlightNames(writer: number, batch: Batch, sightings: readonly Sighting[]): Iterable<string> {
    const { order } = this.#parts.config;
    if (order === "strict") return [`${batch.stream} ${writer}`];
    if (order === "none") return [];
    const names = new Set<string>();
    for (const { record, letter } of sightings) {
      const key = letter === null ? this.#parts.book.keyOf(record) : "";
      if (key !== "") names.add(`${batch.stream} ${key}`);
    }
    return names;
  }

  #answer(mode: Mode, batch: Batch, encoded: number, sightings: readonly Sighting[]): WriteResult {
    const { chance, tally, maxWriteBytes } = this.#parts;
    const pressure = this.#pressure(mode);
    if (encoded > maxWriteBytes) {
      if (batch.count > 1) tally.add("halvings");
      return { kind: "tooLarge", reason: "413 from the sink", pressure };
    }
    if (chance.happens(mode.lies)) {
      tally.add("broken contracts");
      const outcomes = chance.happens(0.5)
        ? new Uint8Array(batch.count + (chance.happens(0.5) ? 1 : -1))
        : new Uint8Array(batch.count).fill(3);
      return { kind: "written", outcomes, pressure };
    }
    const outcomes = this.#outcomes(mode, sightings);
    const reasons = new Map<number, string>();
    outcomes.forEach((outcome, i) => {
      if (outcome === Outcome.ACKED) this.#store(batch, sightings[i]);
      else reasons.set(i, outcome === Outcome.REJECTED ? "mapping failed" : "try again");
    });
    return { kind: "written", outcomes, reasons, pressure };
  }

  /** A sink that keeps order refuses what follows a refused record of the same key too. */
  #outcomes(mode: Mode, sightings: readonly Sighting[]): Uint8Array {
    const { chance, config, book } = this.#parts;
    const outcomes = new Uint8Array(sightings.length);
    if (chance.happens(mode.refusesAll)) return outcomes.fill(Outcome.RETRYABLE);
    const refused = new Set<string>();
    sightings.forEach(({ record, letter }, i) => {
      const lane = config.order === "strict" ? "*" : letter === null ? book.keyOf(record) : "";
      if (lane !== "" && refused.has(lane)) {
        outcomes[i] = Outcome.RETRYABLE;
      } else if (letter === null && (Math.imul(record, 0x9e3779b1) >>> 8) % 1000 < mode.rejects * 1000) {
        outcomes[i] = Outcome.REJECTED;
      } else if (chance.happens(mode.refuses)) {
        outcomes[i] = Outcome.RETRYABLE;
        refused.add(lane);
      }
    });
    return outcomes;
  }

  #pressure(mode: Mode): Pressure {
    const { chance, tally } = this.#parts;
    if (chance.happens(mode.throttles)) {
      tally.add("throttles");
      return { kind: "throttle", delayMs: chance.whole(1, 80) };
    }
    if (!chance.happens(mode.saturates)) return NO_PRESSURE;
    tally.add("saturations");
    return SATURATED;
  }

  #throttled({ pressure }: WriteResult): void {
    if (pressure.kind !== "throttle") return;
    this.#throttledUntilMs = Math.max(this.#throttledUntilMs, this.#parts.clock.nowMs() + pressure.delayMs);
  }

  /** A write of unknown outcome stored its first records, or none. */
  #storeSome(batch: Batch, sightings: readonly Sighting[]): void {
    const { chance, tally } = this.#parts;
    tally.add("unknown outcomes");
    if (chance.happens(0.5)) return;
    const end = chance.whole(0, batch.count);
    for (let i = 0; i < end; i++) this.#store(batch, sightings[i]);
  }

  #store(batch: Batch, { record, letter }: Sighting): void {
    const { book, config } = this.#parts;
    if (letter !== null) {
      assertEquals(letter.key ?? "", book.keyOf(record), `key in the dead letter of record ${record}`);
      assert(letter.attempts >= 1 && letter.reason.length > 0, "a dead letter tells attempts and reason");
      book.deadLettered(record, letter.sink, letter.stream);
      return;
    }
    const key = book.keyOf(record);
    const lane = config.order === "none"
      ? null
      : config.order === "key"
      ? key === "" ? null : `key ${key}`
      : config.parallelism === 1
      ? "strict"
      : null;
    book.stored(record, config.name, batch.stream, lane);
  }
}

/** The kind `sim`: `open` finds the script of the sink. */
export function simSinkKind(scripts: ReadonlyMap<string, ScriptedSink>): SinkDefinition {
  return {
    type: "sim",
    config: z.strictObject({ writesInFlight: z.number().default(2), framingBytes: z.number().default(1) }),
    hints: ({ writesInFlight, framingBytes }) => ({
      maxRecords: 100,
      maxBytes: 4000,
      lingerMs: 0,
      framingBytes,
      writesInFlight,
    }),
    open: (_, { sink, writer }) => scripts.get(sink)!.open(writer),
  };
}
