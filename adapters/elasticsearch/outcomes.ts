/**
 * What became of a batch, record by record: a bulk is answered item by item, and may go out in several parts.
 *
 * @module
 */
import { NO_PRESSURE, Outcome, type Pressure, type WriteResult } from "../../src/sink/adapter.ts";

/** Outcomes of one write; a record of which nothing is told is acked. */
export class BulkOutcomes {
  readonly #outcomes: Uint8Array;
  #reasons: Map<number, string> | null = null;
  #pressure: Pressure = NO_PRESSURE;

  /** For a batch of `count` records. */
  constructor(count: number) {
    this.#outcomes = new Uint8Array(count);
  }

  /** Record `i` is not stored, or not known to be; it may be later. */
  retry(i: number, reason: string): void {
    this.#tell(i, Outcome.RETRYABLE, reason);
  }

  /** The cluster will never take record `i`. */
  reject(i: number, reason: string): void {
    this.#tell(i, Outcome.REJECTED, reason);
  }

  /** The cluster pushes back; of several such words the one that holds the sink back longest counts. */
  press(pressure: Pressure): void {
    if (weight(pressure) > weight(this.#pressure)) this.#pressure = pressure;
  }

  /** The end of the write. */
  result(): WriteResult {
    const written = { kind: "written", outcomes: this.#outcomes, pressure: this.#pressure } as const;
    return this.#reasons === null ? written : { ...written, reasons: this.#reasons };
  }

  #tell(i: number, outcome: number, reason: string): void {
    this.#outcomes[i] = outcome;
    (this.#reasons ??= new Map()).set(i, reason);
  }
}

function weight(pressure: Pressure): number {
  if (pressure.kind === "none") return -1;
  return pressure.kind === "saturated" ? 0 : pressure.delayMs;
}
