/**
 * Records by the status that a sink answered for them. An outcome tells what the gateway does next; the status tells an
 * operator why, and only the adapter sees it.
 *
 * @module
 */

/** Statuses are label values of a metric: a range of them bounds its series. */
const MIN_STATUS = 100;
const MAX_STATUS = 999;

/** Where an adapter counts what its sink answered. */
export interface AnswerCounter {
  /**
   * The sink answered `status` for `records` records, at this attempt. Throws `RangeError` for a status that is no whole
   * number from 100 to 999.
   */
  add(status: number, records: number): void;
}

/** The counts of one sink, over all its writers. */
export class StatusCounts implements AnswerCounter {
  readonly #records: Map<number, number> = new Map();

  /** Counts `records` for `status`, 100 to 999; throws `RangeError` for another. */
  add(status: number, records: number): void {
    if (!Number.isInteger(status) || status < MIN_STATUS || status > MAX_STATUS) {
      throw new RangeError(
        `Cannot count an answer as its status must be a whole number from ${MIN_STATUS} to ${MAX_STATUS}: ${status}`,
      );
    }
    this.#records.set(status, (this.#records.get(status) ?? 0) + records);
  }

  /** Records by status, as `{"201": 17}`. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#records);
  }
}
