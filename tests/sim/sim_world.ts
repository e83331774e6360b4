/**
 * One whole gateway under a manual clock, with scripted sinks, clients that come and go, and an operator who pauses
 * sinks, changes limits and opens and closes other pools. Every actor has choices of its own, so a seed replays it all.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Config, StreamConfig } from "../../src/config.ts";
import { Gateway } from "../../src/gateway.ts";
import { WHOLE_BYTES } from "../../src/ingress/ingest_request.ts";
import { settle } from "../support/manual_clock.ts";
import { Book, type RequestEntry } from "./book.ts";
import { Chance } from "./chance.ts";
import { Operator } from "./operator.ts";
import { ScriptedSink, simSinkKind } from "./scripted_sink.ts";
import { MODES, STANDING_STILL } from "./sink_modes.ts";
import { cutChunks, makeBody } from "./sim_body.ts";
import { type ClientPlan, type Connection, SimClient } from "./sim_client.ts";
import { SimClock } from "./sim_clock.ts";
import { LAST_SINK, makeConfig } from "./sim_config.ts";
import { checkLedger, checkMemory } from "./sim_invariants.ts";
import type { Tally } from "./tally.ts";

/** Most records of one world. */
const MAX_RECORDS = 60_000;
/** Healed sinks must have delivered everything by then. */
const HEALING_MS = 300_000;

/** What a world is made of. */
export interface WorldOptions {
  readonly seed: number;
  readonly tally: Tally;
  /** Folder that exists; nothing is written there. */
  readonly dataDir: string;
  /** Instead of a config of chance. */
  readonly config?: (kind: ReturnType<typeof simSinkKind>) => Config;
  /** Sinks that never answer until they are healed. */
  readonly stalled?: readonly string[];
  /** All other sinks are well, no operator acts, and no jitter is drawn: nothing but the gateway joins the streams. */
  readonly calm?: boolean;
}

/** The world. */
export class SimWorld {
  readonly gateway: Gateway;
  readonly clock: SimClock = new SimClock();
  readonly book: Book;
  readonly sinks: Map<string, ScriptedSink> = new Map();
  /** Clients that were answered or went, in that order. */
  readonly ended: SimClient[] = [];
  /** Events so far. */
  step = 0;
  readonly #seed: number;
  readonly #tally: Tally;
  readonly #config: Config;
  readonly #open: Set<SimClient> = new Set();
  readonly #operator: Operator;
  readonly #overdraft: Map<string, number> = new Map();
  readonly #stalled: readonly string[];
  readonly #calm: boolean;
  #fault: Error | null = null;
  #promises = false;
  #acts = true;
  #requests = 0;

  /** Builds the gateway; `open` lets it begin. */
  constructor(options: WorldOptions) {
    const { seed, tally } = options;
    this.#seed = seed;
    this.#tally = tally;
    this.#stalled = options.stalled ?? [];
    this.#calm = options.calm ?? false;
    const kind = simSinkKind(this.sinks);
    const config = this.#config = options.config?.(kind) ??
      makeConfig(new Chance(seed, "config"), kind, options.dataDir);
    this.book = new Book([...config.sinks.keys()], MAX_RECORDS);
    for (const sink of config.sinks.values()) {
      const chance = new Chance(seed, `sink ${sink.name}`);
      this.sinks.set(
        sink.name,
        new ScriptedSink({
          config: sink,
          clock: this.clock,
          chance,
          book: this.book,
          tally,
          maxWriteBytes: !options.calm && sink.name !== LAST_SINK && chance.happens(0.2)
            ? chance.whole(300, 3000)
            : Infinity,
          settled: () => this.#promises = true,
          onFault: (error) => this.#fault ??= error,
        }),
      );
    }
    this.gateway = new Gateway(config, {
      sinks: [kind],
      clock: this.clock,
      random: options.calm ? () => 0.5 : new Chance(seed, "gateway").next,
    });
    for (const [name, sink] of this.sinks) sink.gate = this.gateway.sinks.get(name)!.gate;
    this.#operator = new Operator({
      gateway: this.gateway,
      clock: this.clock,
      chance: new Chance(seed, "operator"),
      sinks: this.sinks,
      tally,
    });
  }

  /** Opens the gateway and lets every actor begin. */
  async open(): Promise<void> {
    await this.gateway.open();
    this.clock.endTurn();
    for (const stream of this.#config.streams.values()) this.#startClients(stream);
    for (const name of this.sinks.keys()) this.#startMoods(name);
    if (!this.#calm) this.#operator.start();
  }

  /** Runs `events` events, or fewer when nothing is left to happen. */
  async run(events: number): Promise<void> {
    const end = this.step + events;
    while (this.step < end && this.clock.step()) await this.#afterEvent();
  }

  /** Runs all events of the next `ms` milliseconds. */
  async runFor(ms: number): Promise<void> {
    const endMs = this.clock.nowMs() + ms;
    while (this.clock.step(endMs)) await this.#afterEvent();
  }

  /** All actors stop, the sinks are healed: everything that was accepted must be delivered, and every request answered. */
  async heal(): Promise<void> {
    this.#acts = false;
    this.#operator.stop();
    for (const [name, sink] of this.sinks) {
      sink.limitChanged(null);
      sink.heal();
      this.gateway.view.control.setLimit(name, null);
      this.gateway.view.control.resumeSink(name);
    }
    await this.#afterEvent();
    const endMs = this.clock.nowMs() + HEALING_MS;
    while ((this.#open.size > 0 || this.#inFlight() > 0) && this.clock.step(endMs)) await this.#afterEvent();
    const waiting = [...this.#open].map(({ entry }) => entry.id);
    assertEquals(waiting, [], "every request is answered when all sinks are well");
    assertEquals(this.#inFlight(), 0, "everything accepted is delivered when all sinks are well");
    for (const client of this.ended) client.checkDelivered();
    this.#checkCounts();
  }

  /** Stops the gateway: whatever was lent must come back, and what was lost is told. */
  async stop(): Promise<void> {
    this.#acts = false;
    this.#operator.stop();
    const drainEndsMs = this.clock.nowMs() + this.#config.gateway.drainMs;
    let lost = -1;
    this.gateway.stop().then((report) => {
      assertEquals(report.failures, [], "sinks can be closed");
      lost = report.lostRecords;
    });
    for (let turn = 0; lost < 0; turn++) {
      assert(turn < 200_000, "a stop ends");
      await settle();
      if (lost < 0 && this.clock.step()) await this.#afterEvent();
    }
    if (this.clock.nowMs() >= drainEndsMs) this.#tally.add("drains cut short");
    // What still was in flight is let go of when its sink settles, after an abort too.
    while (this.clock.step(this.clock.nowMs() + 60_000)) await this.#afterEvent();
    assertEquals(
      [...this.#open].map(({ entry }) => entry.id),
      [],
      "every request is answered when the gateway stops",
    );
    const { network } = this.gateway;
    assertEquals(network.freeSegments, network.totalSegments, "everything lent comes back after close");
    this.#checkLost(lost);
    this.#countProvoked();
  }

  #inFlight(): number {
    let records = 0;
    for (const { inFlight } of this.gateway.view.snapshot().ledger) records += inFlight;
    return records;
  }

  /** What a turn of the event loop does: promises, then what was put off, until nothing is left. */
  async #afterEvent(): Promise<void> {
    this.step++;
    do {
      if (this.#promises) {
        this.#promises = false;
        // An adapter's opening is a chain of awaits.
        for (let k = 0; k < 12; k++) await null;
      }
      this.clock.endTurn();
    } while (this.#promises);
    if (this.#fault !== null) throw this.#fault;
    for (const client of this.#open) {
      if (client.entry.takenStep === Infinity && client.isTaken) client.entry.takenStep = this.step;
    }
    this.#watchOverdraft();
    if (this.step % 4 === 0) this.check();
  }

  /** Everything that holds at every moment. */
  check(): void {
    checkMemory(this.gateway);
    checkLedger(this.gateway);
  }

  #watchOverdraft(): void {
    for (const { name, pool } of this.gateway.streams.values()) {
      // An overdraft by growth; a pool that shrank is above its size too, but not by asking.
      const before = this.#overdraft.get(name) ?? 0;
      const now = pool.overdraftSegments;
      if (now > before && pool.lentSegments > pool.size) this.#tally.add("overdrafts");
      this.#overdraft.set(name, now);
    }
  }

  #startClients(config: StreamConfig): void {
    const chance = new Chance(this.#seed, `clients of ${config.name}`);
    const paceMs = chance.pick([2, 6, 20]);
    const next = (): void => {
      if (!this.#acts) return;
      for (let k = chance.happens(0.05) ? 10 : 1; k > 0; k--) this.#startClient(config, chance);
      this.clock.setTimer(next, chance.between(0, 2 * paceMs));
    };
    this.clock.setTimer(next, chance.between(0, 10));
  }

  #startClient(config: StreamConfig, chance: Chance, connection: Connection = { rank: null }): void {
    const large = config.maxBodyBytes > WHOLE_BYTES;
    const bodyBytes = large && chance.happens(0.05)
      ? chance.whole(100_000, 3_500_000)
      : chance.happens(0.08)
      ? chance.whole(1000, Math.min(50_000, config.maxBodyBytes))
      : chance.whole(1, 800);
    if (!this.book.hasRoom(bodyBytes / 40 + 2)) return;
    const requestKey = chance.happens(0.15) ? `q${chance.whole(1, 5)}` : "";
    const first = this.book.records;
    const body = makeBody(chance, first, {
      validates: config.validate === "json",
      keyed: config.key !== null,
      maxRecordBytes: config.maxRecordBytes,
      bodyBytes,
      keys: chance.pick([3, 100]),
      requestKey,
      wholeBytes: WHOLE_BYTES,
    });
    const chunked = chance.happens(0.4);
    const headers = new Map([["content-type", body.contentType]]);
    if (!chunked) headers.set("content-length", String(body.bytes.length));
    if (requestKey !== "") headers.set("x-weir-key", requestKey);
    const plan: ClientPlan = {
      method: chance.happens(0.005) ? "GET" : "POST",
      target: `/v1/streams/${chance.happens(0.005) ? "nowhere" : config.name}`,
      headers,
      body,
      chunks: cutChunks(chance, body.bytes),
      chunked,
      gapMs: chance.pick([[0, 0.2], [0, 5], [1, 40]]),
      patienceMs: chance.happens(0.06) ? chance.between(0, 60) : Infinity,
    };
    if (body.streams) this.#tally.add("streamed bodies");
    const entry: RequestEntry = {
      id: this.#requests++,
      stream: config.name,
      firstRecord: first,
      indexes: body.indexes,
      lastByteStep: -1,
      takenStep: Infinity,
      next: -1,
    };
    this.book.enter(entry, body.keys);
    const client = new SimClient(plan, entry, {
      ingress: this.gateway.ingress,
      clock: this.clock,
      chance,
      book: this.book,
      tally: this.#tally,
      step: () => this.step,
      connection,
      stream: {
        acking: config.sinks.filter((sink) => !config.bestEffort.includes(sink)),
        others: config.bestEffort,
      },
      ended: (ended) => {
        this.#open.delete(ended);
        this.ended.push(ended);
        const seconds = ended.ending?.retryAfterSeconds ?? 0;
        if (seconds === 0 || !chance.happens(0.5)) return;
        this.clock.setTimer(() => {
          if (this.#acts) this.#startClient(config, chance, connection);
        }, seconds * 1000);
      },
    });
    this.#open.add(client);
    client.begin();
  }

  #startMoods(name: string): void {
    const chance = new Chance(this.#seed, `moods of ${name}`);
    const sink = this.sinks.get(name)!;
    // Where dead letters end, none is rejected: behind it there is only a file.
    const modes = name === LAST_SINK ? MODES.filter(({ rejects }) => rejects === 0) : MODES;
    const weather = chance.pick([0.3, 0.6, 0.9]);
    const next = (): void => {
      if (!this.#acts) return;
      sink.behave(chance.happens(weather) ? MODES[0] : chance.pick(modes));
      this.clock.setTimer(next, chance.between(20, 1500));
    };
    if (this.#stalled.includes(name)) sink.behave(STANDING_STILL);
    else if (!this.#calm) next();
  }

  #checkCounts(): void {
    for (const row of this.gateway.view.snapshot().ledger) {
      assertEquals(
        this.book.countAt(row.stream, row.sink),
        row.delivered + row.deadLettered,
        `records of ${row.stream} at ${row.sink}, as the ledger counts them`,
      );
    }
  }

  /** What was acknowledged by memory alone and is not at a sink is what the gateway says was lost, or was stored without its knowing. */
  #checkLost(lost: number): void {
    let most = 0;
    for (const { config } of this.gateway.streams.values()) {
      if (config.ack !== "memory") continue;
      const rows = this.gateway.view.snapshot().ledger.filter(({ stream }) => stream === config.name);
      most += Math.max(
        ...rows.map((row) => config.bestEffort.includes(row.sink) ? 0 : row.inFlight + row.lost),
      );
      for (const { sink, accepted, shed } of rows) {
        if (config.bestEffort.includes(sink)) continue;
        const missing = accepted - shed - this.book.countAt(config.name, sink);
        assert(
          missing <= lost,
          `${missing} records of ${config.name} are not at ${sink}, but ${lost} were told as lost`,
        );
      }
    }
    assertEquals(lost, most, "the records told as lost are those that were in flight");
  }

  #countProvoked(): void {
    for (const stream of this.gateway.streams.values()) {
      this.#tally.add("give-backs", stream.admission.gaveBack);
      for (const { lane } of stream.lanes) {
        this.#tally.add("sheds", lane.input.shedRecords);
        this.#tally.add("dead letters", lane.delivery.deadLettered);
      }
    }
    for (const sink of this.gateway.sinks.values()) {
      this.#tally.add("retries", sink.gate.account.totals.retried);
    }
  }
}
