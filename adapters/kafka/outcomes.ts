/** What became of the records of one write, and how hard the brokers pushed back meanwhile. @module */
import { NO_PRESSURE, Outcome, type Pressure, SATURATED, type WriteResult } from "../../src/sink/adapter.ts";
import type { PartitionRun } from "./partition_run.ts";

/** Outcomes by record. */
export class WriteOutcomes {
  readonly #outcomes: Uint8Array;
  readonly #reasons: Map<number, string> = new Map();
  #isSaturated = false;

  /** All `count` records are acked until something else is said. */
  constructor(count: number) {
    this.#outcomes = new Uint8Array(count);
  }

  /** Record `i` will never be taken. */
  reject(i: number, reason: string): void {
    this.#set(i, Outcome.REJECTED, reason);
  }

  /** Record `i` is not stored. */
  retry(i: number, reason: string): void {
    this.#set(i, Outcome.RETRYABLE, reason);
  }

  /** What is left of `run` is not stored, and leaves the sink. */
  retryRest(run: PartitionRun, reason: string): void {
    for (let at = run.at; at < run.to; at++) this.retry(run.order[at], reason);
    run.advance(run.to - run.at);
  }

  /** Why a record is to be tried again; null where none is. */
  get retryReason(): string | null {
    const i = this.#outcomes.indexOf(Outcome.RETRYABLE);
    return i < 0 ? null : this.#reasons.get(i) ?? "";
  }

  /** Why a record is not stored; null where all are. */
  get anyReason(): string | null {
    const [reason] = this.#reasons.values();
    return reason ?? null;
  }

  /** Nothing is stored after all: what is not rejected is to be tried again. */
  undo(reason: string): void {
    for (let i = 0; i < this.#outcomes.length; i++) {
      if (this.#outcomes[i] === Outcome.ACKED) this.retry(i, reason);
    }
  }

  /** A broker did not answer, or could not be reached. */
  saturated(): void {
    this.#isSaturated = true;
  }

  /** The result; `throttleMs` is how long brokers still want to hear nothing. */
  result(throttleMs: number): WriteResult {
    return {
      kind: "written",
      outcomes: this.#outcomes,
      reasons: this.#reasons,
      pressure: this.#pressure(throttleMs),
    };
  }

  #pressure(throttleMs: number): Pressure {
    if (throttleMs > 0) return { kind: "throttle", delayMs: throttleMs };
    return this.#isSaturated ? SATURATED : NO_PRESSURE;
  }

  #set(i: number, outcome: number, reason: string): void {
    this.#outcomes[i] = outcome;
    this.#reasons.set(i, reason);
  }
}
