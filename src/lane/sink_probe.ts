/**
 * Asks a sink that failed whether it is back, when no record is left whose retries would find out: requests that wait
 * for a sink that is down are refused, so nothing else would. While a lane holds records its retries ask, which tells
 * more than a question does.
 *
 * @module
 */
import { type Clock, rejectedBy, type Timer } from "../core/clock.ts";
import { backoffMs, type RetryPolicy } from "./retry.ts";
import type { SinkGate } from "./sink_gate.ts";

/** Of a writer, what the probe needs. */
export interface ProbedWriter {
  /** Whether its adapter is open; one that is not is being opened, which is a question too. */
  readonly isOpen: boolean;
  /** Whether a lane of it holds records that are not settled. */
  readonly holdsRecords: boolean;
  /** As `SinkAdapter.check`. */
  check(signal: AbortSignal): Promise<void>;
}

/** The probe of one sink. */
export class SinkProbe {
  readonly #gate: SinkGate;
  readonly #writers: readonly ProbedWriter[];
  readonly #retry: RetryPolicy;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  #attempt = 0;
  #timer: Timer | null = null;
  #asking: AbortController | null = null;
  #closed = false;

  /** Watches `gate` from now on; asks with the pauses of `retry`, and waits for an answer for `timeoutMs`. */
  constructor(options: {
    gate: SinkGate;
    writers: readonly ProbedWriter[];
    retry: RetryPolicy;
    timeoutMs: number;
    clock: Clock;
    random: () => number;
  }) {
    this.#gate = options.gate;
    this.#writers = options.writers;
    this.#retry = options.retry;
    this.#timeoutMs = options.timeoutMs;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#gate.onFailed = () => this.#arm();
  }

  /** Asks no more. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#asking?.abort(new Error("the sink is closed"));
  }

  #arm(): void {
    if (this.#closed || this.#timer !== null || this.#asking !== null) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null;
      void this.#look();
    }, backoffMs(this.#retry, ++this.#attempt, this.#random));
  }

  async #look(): Promise<void> {
    if (this.#gate.isFailing) {
      const writer = this.#writers.find(({ isOpen }) => isOpen);
      if (writer !== undefined && !this.#isTried()) await this.#ask(writer);
    }
    if (this.#gate.isFailing) this.#arm();
    else this.#attempt = 0;
  }

  async #ask(writer: ProbedWriter): Promise<void> {
    const asking = this.#asking = new AbortController();
    const timer = this.#clock.setTimer(() => {
      asking.abort(new Error(`the sink did not answer within timeoutMs ${this.#timeoutMs}`));
    }, this.#timeoutMs);
    try {
      await Promise.race([writer.check(asking.signal), rejectedBy(asking.signal)]);
      // A write that began meanwhile knows better.
      if (!this.#closed && !this.#isTried()) this.#gate.answered();
    } catch (error) {
      if (!this.#closed) this.#gate.failed(error instanceof Error ? error.message : String(error));
    } finally {
      timer.cancel();
      this.#asking = null;
    }
  }

  #isTried(): boolean {
    return this.#writers.some(({ holdsRecords }) => holdsRecords);
  }
}
