/**
 * The memory of WebSocket messages that are not complete: a record enters a segment only when all of it is there, so
 * what came before is held outside of the pool, and a thousand clients can each send all of a message but its last byte.
 *
 * All connections share one budget. Over it, a connection that wants to bring more is not read; the *oldest* unfinished
 * message is read whatever it takes, so there is always one that can finish. When that one's client falls silent while
 * others wait, it is given up.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";

/** How often silent clients are looked for while somebody waits, ms. */
const LOOK_MS = 1_000;

/** A connection as the budget sees it. */
export interface PartialHolder {
  /** When its client sent the last byte, clock time. */
  readonly lastByteMs: number;
  /** How long it may be silent while others wait, ms. */
  readonly maxSilenceMs: number;
  /** Stops or goes on reading, for want of budget. */
  setOverBudget(over: boolean): void;
  /** It was silent for too long with an unfinished message while others waited: closes the connection. */
  giveUp(): void;
}

/** The budget of a gateway. */
export class PartialBudget {
  /** Bytes that all may hold, but for the message of the oldest. */
  readonly limit: number;
  readonly #clock: Clock;
  /** Bytes by holder, oldest first. */
  readonly #held: Map<PartialHolder, number> = new Map();
  /** Holders that are not read, the one that waits longest first. */
  readonly #waiting: Set<PartialHolder> = new Set();
  #used = 0;
  #timer: Timer | null = null;

  /** `limit` is `buffers.partialBytes`. */
  constructor(limit: number, clock: Clock) {
    this.limit = limit;
    this.#clock = clock;
  }

  /** Bytes held now. */
  get used(): number {
    return this.#used;
  }

  /** Connections that are not read for want of it. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** `holder` now holds `bytes` of unfinished messages. */
  update(holder: PartialHolder, bytes: number): void {
    const before = this.#held.get(holder) ?? 0;
    if (bytes === before) return;
    this.#used += bytes - before;
    if (bytes > 0) this.#held.set(holder, bytes);
    else this.#held.delete(holder);
    if (bytes > before) {
      if (this.#used > this.limit && !this.#isOldest(holder)) this.#wait(holder);
    } else this.#wake();
  }

  /** The connection is gone. */
  remove(holder: PartialHolder): void {
    this.#waiting.delete(holder);
    this.update(holder, 0);
    this.#wake();
  }

  #isOldest(holder: PartialHolder): boolean {
    return this.#held.keys().next().value === holder;
  }

  #wait(holder: PartialHolder): void {
    if (this.#waiting.has(holder)) return;
    this.#waiting.add(holder);
    holder.setOverBudget(true);
    this.#timer ??= this.#clock.setTimer(() => this.#look(), LOOK_MS);
  }

  #wake(): void {
    if (this.#waiting.size === 0) return;
    const oldest = this.#held.keys().next().value;
    if (oldest !== undefined && this.#waiting.delete(oldest)) oldest.setOverBudget(false);
    for (const holder of this.#waiting) {
      if (this.#used > this.limit) break;
      this.#waiting.delete(holder);
      holder.setOverBudget(false);
    }
    if (this.#waiting.size === 0) {
      this.#timer?.cancel();
      this.#timer = null;
    }
  }

  #look(): void {
    this.#timer = this.#waiting.size > 0 ? this.#clock.setTimer(() => this.#look(), LOOK_MS) : null;
    const now = this.#clock.nowMs();
    for (const holder of [...this.#held.keys()]) {
      if (this.#waiting.size === 0) return;
      if (!this.#waiting.has(holder) && now - holder.lastByteMs >= holder.maxSilenceMs) holder.giveUp();
    }
  }
}
