/**
 * An index that the cluster blocked because its disk is full stays so until someone frees disk. Sending on would load a
 * cluster that is in trouble, for nothing: so the sink pauses, and one write at a time tries whether the block is gone.
 *
 * @module
 */

/** First pause: someone may be freeing disk right now. */
const FIRST_PAUSE_MS = 1_000;
/** Longest pause: how long a sink goes on standing after the block was lifted, at most. */
const MAX_PAUSE_MS = 30_000;

/** Whether writes may be sent, as far as blocks go. */
export class BlockGate {
  /** The last pause; 0 while nothing is blocked. */
  #pauseMs = 0;
  #untilMs = -Infinity;
  /** Whether a write tries the block since the pause began. */
  #isTried = false;

  /** Ms until a write may be sent; at 0 the caller's is, and in a block all others wait for what it finds. */
  enter(nowMs: number): number {
    if (this.#pauseMs === 0) return 0;
    if (nowMs < this.#untilMs) return this.#untilMs - nowMs;
    this.#isTried = true;
    this.#untilMs = nowMs + this.#pauseMs;
    return 0;
  }

  /** The cluster refused a write for a block; returns the ms until the next try. */
  blocked(nowMs: number): number {
    // Writes that were under way when the block came are all one refusal.
    if (this.#pauseMs === 0 || this.#isTried) {
      this.#isTried = false;
      this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, FIRST_PAUSE_MS), MAX_PAUSE_MS);
      this.#untilMs = nowMs + this.#pauseMs;
      return this.#pauseMs;
    }
    return Math.max(this.#untilMs - nowMs, 1);
  }

  /** The cluster took a write, and named no block. */
  taken(): void {
    this.#pauseMs = 0;
    this.#untilMs = -Infinity;
    this.#isTried = false;
  }
}
