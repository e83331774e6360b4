/**
 * One writer of a sink: the open adapter, its writes in flight, and the lanes that take turns at it by weight.
 *
 * A write that does not end is aborted after `timeoutMs` and then waited for: until it settles it may still read the
 * segments, so they cannot be given to anyone else. Meanwhile the sink counts as down, and only its own users feel it.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { SinkAdapter, WriteResult } from "../sink/adapter.ts";
import type { SegmentBatch } from "./batch.ts";
import { FairQueue } from "./fair_queue.ts";
import { backoffMs, type RetryPolicy } from "./retry.ts";
import type { SinkGate } from "./sink_gate.ts";
import { wasRefused, type WriteEnd } from "./write_end.ts";

/** How long a write may take to settle when the writer closes, ms: what ends by its signal ends at once. */
const SETTLE_MS = 500;

/** A lane as its writer sees it. */
export interface WritingLane {
  /** Bytes that it would send next, about: what the turn costs. */
  readonly nextCost: number;
  /** The batch that is to be written next, formed if need be; null when there is none now. The same until `begin`. */
  next(): SegmentBatch | null;
  /** The batch of `next()` is being written. */
  begin(batch: SegmentBatch): void;
  /** The write ended, at a writer of `gate`; the lane may write elsewhere by now. */
  end(batch: SegmentBatch, end: WriteEnd, gate: SinkGate): void;
  /** Whether `next()` would give a batch. */
  readonly ready: boolean;
  /** Whether it holds records that are not settled. */
  readonly holdsRecords: boolean;
}

/** A write in flight. */
interface Flight {
  readonly lane: WritingLane;
  readonly batch: SegmentBatch;
  readonly startMs: number;
  readonly abort: AbortController;
}

/** The writer. */
export class SinkWriter {
  /** The gate that all writers of the sink share. */
  readonly gate: SinkGate;
  /** Writes in flight at this writer. */
  inFlight = 0;
  readonly #writesInFlight: number;
  readonly #framingBytes: number;
  readonly #timeoutMs: number;
  readonly #retry: RetryPolicy;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Logger;
  readonly #open: () => Promise<SinkAdapter>;
  readonly #after: Promise<void> | undefined;
  readonly #lanes: FairQueue<WritingLane> = new FairQueue();
  readonly #cost = (lane: WritingLane): number => lane.nextCost;
  readonly #removeWaker: () => void;
  #adapter: SinkAdapter | null = null;
  #opening: Promise<void> | null = null;
  #openAttempt = 0;
  #openTimer: Timer | null = null;
  /** Why it does not open, as last logged: a sink that is away for hours is not a line every ten seconds. */
  #toldReason: string | null = null;
  /** Of a user's own module it may throw. */
  #asksForBytes = true;
  #pumping = false;
  #pumpAgain = false;
  #deferred = false;
  #closed = false;
  #idle: (() => void)[] = [];
  readonly #aborts: Set<AbortController> = new Set();

  /** `open` opens the adapter, not before `after` has resolved; it is called again after a failure, with backoff. */
  constructor(options: {
    gate: SinkGate;
    writesInFlight: number;
    framingBytes: number;
    timeoutMs: number;
    retry: RetryPolicy;
    clock: Clock;
    random: () => number;
    log: Logger;
    open: () => Promise<SinkAdapter>;
    after?: Promise<void>;
  }) {
    this.gate = options.gate;
    this.#writesInFlight = options.writesInFlight;
    this.#framingBytes = options.framingBytes;
    this.#timeoutMs = options.timeoutMs;
    this.#retry = options.retry;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#log = options.log;
    this.#open = options.open;
    this.#after = options.after;
    this.#removeWaker = this.gate.addWaker(() => this.pump());
  }

  /** Whether the adapter is open. */
  get isOpen(): boolean {
    return this.#adapter !== null;
  }

  /** Whether a lane of it holds records that are not settled. */
  get holdsRecords(): boolean {
    return this.#lanes.some(({ holdsRecords }) => holdsRecords);
  }

  /** Adds a lane; its share of the sink is `weight` against those of the others. */
  addLane(lane: WritingLane, weight: number): void {
    this.#lanes.add(lane, weight);
  }

  /** Forgets a lane. */
  removeLane(lane: WritingLane): void {
    this.#lanes.remove(lane);
  }

  /** The lane may have something to write. Looked at when this turn of the event loop has handed over what it had. */
  wake(lane: WritingLane): void {
    this.#lanes.activate(lane);
    if (this.#deferred) return;
    this.#deferred = true;
    this.#clock.defer(() => {
      this.#deferred = false;
      this.pump();
    });
  }

  /** Opens the adapter if it is not, and keeps trying. Resolves after the first try, or when the next one is due already. */
  openNow(): Promise<void> {
    if (this.#adapter || this.#closed || this.#openTimer) return Promise.resolve();
    return this.#opening ??= this.#tryOpen();
  }

  /** Bytes of the body of `batch` as a limit counts them; 0 where there is no limit in bytes. */
  bodyBytes(batch: SegmentBatch): number {
    if (this.gate.maxBytes === Infinity) return 0;
    if (batch.encodedBytes < 0) batch.encodedBytes = this.#encodedBytes(batch);
    return batch.encodedBytes;
  }

  #encodedBytes(batch: SegmentBatch): number {
    if (this.#asksForBytes) {
      try {
        const bytes = this.#adapter?.encodedBytes?.(batch);
        if (bytes !== undefined && Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
      } catch (error) {
        this.#asksForBytes = false;
        this.#log.error("encodedBytes of the sink failed; its limit counts values and framingBytes", {
          sink: this.gate.sink,
          reason: error instanceof Error ? error.message : String(error),
        });
      }
    }
    return batch.bytes + batch.count * this.#framingBytes;
  }

  /** Starts every write that may start now. */
  pump(): void {
    if (this.#pumping) {
      this.#pumpAgain = true;
      return;
    }
    this.#pumping = true;
    try {
      do {
        this.#pumpAgain = false;
        while (this.#startOne());
      } while (this.#pumpAgain);
    } finally {
      this.#pumping = false;
    }
  }

  /** Asks the adapter whether the sink can be reached. */
  async check(signal: AbortSignal): Promise<void> {
    if (!this.#adapter) throw new Error(this.gate.reason || "the sink is not open yet");
    await this.#adapter.check(signal);
  }

  /** Resolves when no write is in flight, or `signal` is aborted. */
  async whenIdle(signal: AbortSignal): Promise<void> {
    if (this.inFlight === 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /**
   * Aborts the writes in flight, whose records were given up, and closes the adapter when they have settled, or after
   * `SETTLE_MS`, as a sink may keep a write of unknown outcome until it is closed. Resolves when all have settled, or
   * `signal` is aborted. No lane may be woken any more.
   */
  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    this.#openTimer?.cancel();
    this.#removeWaker();
    for (const abort of this.#aborts) abort.abort(new Error("the gateway stops"));
    const late = new AbortController();
    const timer = this.#clock.setTimer(() => late.abort(), SETTLE_MS);
    await this.whenIdle(AbortSignal.any([signal, late.signal]));
    timer.cancel();
    await this.#opening;
    const adapter = this.#adapter;
    this.#adapter = null;
    await adapter?.close(signal);
    await this.whenIdle(signal);
  }

  #startOne(): boolean {
    if (this.inFlight >= this.#writesInFlight) return false;
    const lane = this.#lanes.peek(this.#cost);
    if (lane === null) return false;
    if (!lane.ready) {
      this.#lanes.deactivate(lane);
      return true;
    }
    if (!this.#adapter) {
      void this.openNow();
      return false;
    }
    if (!this.gate.mayWrite()) return false;
    const batch = lane.next();
    if (batch === null) {
      this.#lanes.deactivate(lane);
      return true;
    }
    if (!this.gate.takeTokens(batch.count, this.bodyBytes(batch))) return false;
    this.#lanes.commit(Math.max(1, batch.bytes));
    lane.begin(batch);
    if (!lane.ready) this.#lanes.deactivate(lane);
    this.#write(lane, batch);
    return true;
  }

  #write(lane: WritingLane, batch: SegmentBatch): void {
    this.inFlight++;
    this.gate.inFlight++;
    const startMs = this.#clock.nowMs();
    // What was not full was ready as it was formed, and a retry waited for its own time.
    this.gate.writing(batch.fill === 1 && batch.attempt === 1 ? batch.readyAtMs : startMs);
    const abort = new AbortController();
    const flight = { lane, batch, startMs, abort };
    let returned: WriteResult | Promise<WriteResult>;
    try {
      returned = this.#adapter!.write(batch, abort.signal);
    } catch (error) {
      this.#ended(flight, { kind: "unknown", error });
      return;
    }
    if (!isThenable(returned)) {
      this.#ended(flight, { kind: "result", result: returned });
      return;
    }
    this.#aborts.add(abort);
    const timer = this.#clock.setTimer(() => {
      const error = new Error(`the sink did not answer within timeoutMs ${this.#timeoutMs}`);
      this.gate.failed(error.message);
      abort.abort(error);
    }, this.#timeoutMs);
    const ended = (end: WriteEnd): void => {
      timer.cancel();
      this.#aborts.delete(abort);
      this.#ended(flight, end);
    };
    // Of another library it may settle twice, and throw.
    Promise.resolve(returned).then(
      (result) => ended({ kind: "result", result }),
      (error) => ended({ kind: "unknown", error }),
    );
  }

  #ended(flight: Flight, end: WriteEnd): void {
    const { lane, batch, startMs } = flight;
    const refused = !this.#closed && this.#sample(flight, end);
    this.inFlight--;
    this.gate.inFlight--;
    // Vector's requests hold their permit for all of their backoff; here one lane's would then stand in the way of others.
    if (refused) this.gate.rest(backoffMs(this.#retry, 1, this.#random));
    this.gate.account.writeSeconds.observe((this.#clock.nowMs() - startMs) / 1000);
    if (end.kind === "result" && end.result?.pressure) this.gate.press(end.result.pressure);
    const { account: { totals }, observer } = this.gate;
    const settledBefore = totals.delivered + totals.rejected;
    lane.end(batch, end, this.gate);
    observer?.ended(
      totals.delivered + totals.rejected - settledBefore,
      this.#clock.nowMs() - startMs,
      batch.fill,
    );
    if (this.inFlight === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
    if (this.#closed) return;
    this.gate.wake();
  }

  /** Tells the controller how the write ended; returns whether it was refused. */
  #sample({ batch, startMs, abort }: Flight, end: WriteEnd): boolean {
    const refused = abort.signal.aborted || wasRefused(end, batch.count);
    if (refused === null) return false;
    const endMs = this.#clock.nowMs();
    const { account, inFlight } = this.gate;
    if (refused) account.refusedWrites++;
    account.controller.update({ endMs, latencyMs: endMs - startMs, inFlight, refused });
    return refused;
  }

  async #tryOpen(): Promise<void> {
    await this.#after;
    if (this.#closed) return;
    this.gate.trying();
    try {
      const adapter = await this.#open();
      assertAdapter(adapter);
      if (this.#closed) {
        await adapter.close(AbortSignal.abort());
        return;
      }
      this.#adapter = adapter;
      this.#openAttempt = 0;
      this.#toldReason = null;
      this.gate.answered();
      this.#clock.defer(() => this.pump());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.gate.failed(reason);
      const waitMs = backoffMs(this.#retry, ++this.#openAttempt, this.#random);
      if (reason !== this.#toldReason) {
        this.#toldReason = reason;
        const retryInMs = Math.round(waitMs);
        this.#log.warn("cannot open sink, will try again", { sink: this.gate.sink, reason, retryInMs });
      }
      if (this.#closed) return;
      this.#openTimer = this.#clock.setTimer(() => {
        this.#openTimer = null;
        void this.openNow();
      }, waitMs);
    } finally {
      this.#opening = null;
    }
  }
}

function isThenable(returned: WriteResult | Promise<WriteResult>): returned is Promise<WriteResult> {
  return typeof (returned as Partial<Promise<WriteResult>> | null | undefined)?.then === "function";
}

/** Throws when a module of a user's own opened to something else. */
function assertAdapter(adapter: Partial<SinkAdapter> | null | undefined): void {
  for (const method of ["write", "check", "close"] as const) {
    if (typeof adapter?.[method] === "function") continue;
    throw new Error(
      `open gave no adapter: it must have write, check and close, but ${method} is no function`,
    );
  }
}
