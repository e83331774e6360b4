/**
 * What became of a batch, put together in two steps: the encoding refuses single records, then the sink answers for
 * all that went out. Most writes refuse nothing, so nothing is kept until the first refusal.
 *
 * @module
 */
import { type Batch, NO_PRESSURE, Outcome, type Pressure, SATURATED, type WriteResult } from "./adapter.ts";

/** Outcomes of one write. */
export class Verdict {
  readonly #count: number;
  #rejected: Map<number, string> | null = null;

  /** All records of `batch` are sent until they are rejected. */
  constructor(batch: Batch) {
    this.#count = batch.count;
  }

  /** Records that the encoding did not refuse. */
  get sent(): number {
    return this.#count - (this.#rejected?.size ?? 0);
  }

  /** The encoding cannot hold record `i`: it never leaves, and goes to the dead letter with `reason`. */
  reject(i: number, reason: string): void {
    (this.#rejected ??= new Map()).set(i, reason);
  }

  /** The sink holds what was sent. */
  acked(pressure: Pressure = NO_PRESSURE): WriteResult {
    return this.#end(Outcome.ACKED, "", pressure);
  }

  /** What was sent is not stored, or not known to be. */
  retryable(reason: string, pressure: Pressure = SATURATED): WriteResult {
    return this.#end(Outcome.RETRYABLE, reason, pressure);
  }

  /** The sink will never take what was sent. */
  rejected(reason: string, pressure: Pressure = NO_PRESSURE): WriteResult {
    return this.#end(Outcome.REJECTED, reason, pressure);
  }

  #end(outcome: number, reason: string, pressure: Pressure): WriteResult {
    const outcomes = new Uint8Array(this.#count).fill(outcome);
    const rejected = this.#rejected;
    if (outcome === Outcome.ACKED) {
      if (rejected === null) return { kind: "written", outcomes, pressure };
      for (const i of rejected.keys()) outcomes[i] = Outcome.REJECTED;
      return { kind: "written", outcomes, reasons: rejected, pressure };
    }
    const reasons = new Map<number, string>();
    for (let i = 0; i < this.#count; i++) {
      const refusal = rejected?.get(i);
      if (refusal !== undefined) outcomes[i] = Outcome.REJECTED;
      reasons.set(i, refusal ?? reason);
    }
    return { kind: "written", outcomes, reasons, pressure };
  }
}
