/**
 * Listeners run when the pools have finished changing, never in the middle of it.
 *
 * One thread needs no lock, but a listener that requests, recycles, resizes or destroys from inside a half-done
 * change is the bug that Flink's locks were moved for (FLINK-9676, FLINK-22946). So a change only notes whom it has
 * to tell, and the outermost change tells them, one after the other, at its end. What a listener changes in its turn
 * is noted behind them: nothing nests, and each listener finds every pool consistent.
 *
 * @module
 */

/** The calls that the change in progress owes. One is shared by all pools on one block. */
export class Turn {
  readonly #owed: (() => void)[] = [];
  #depth = 0;

  /** Notes `call` for the end of the change in progress. */
  later(call: () => void): void {
    this.#owed.push(call);
  }

  /** Makes a change of several steps, and settles behind the last one. When a step throws, nobody is told of it. */
  run(change: () => void): void {
    this.#depth++;
    try {
      change();
    } finally {
      this.#depth--;
    }
    this.settle();
  }

  /**
   * Makes the calls that are owed, unless a change or a listener is still running: then its end will.
   * One that throws does not keep the others from theirs; what was thrown is thrown on when all were made.
   */
  settle(): void {
    if (this.#depth > 0 || this.#owed.length === 0) return;
    const failures: unknown[] = [];
    this.#depth++;
    for (let k = 0; k < this.#owed.length; k++) {
      try {
        this.#owed[k]();
      } catch (failure) {
        failures.push(failure);
      }
    }
    this.#owed.length = 0;
    this.#depth--;
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, `${failures.length} pool listeners failed`);
  }
}
