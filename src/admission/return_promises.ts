/**
 * Whom the gateway told to come back, and when: the seconds in `Retry-After`.
 *
 * If everyone who is refused were told the same time, all would come at once and nearly all be refused again. So each
 * answer is a booking: a client is told the first second by whose end what drains, less what was promised before, is
 * enough for it. And a promise is worth something only if others do not take what it counts on: `dueBytes` is what
 * admission keeps free for those who are about to come.
 *
 * One slot per second of the next minute, so memory is the same for any number of clients. A client that does not come
 * back costs what was kept for it, for two seconds.
 *
 * @module
 */

/** Longest wait that is told, seconds: the contract's. */
const MAX_SECONDS = 60;
/** Above `MAX_SECONDS` and the second that is over, so that no slot is two seconds at once. */
const SLOTS = 64;
/** Part of a wait that may be added, so that those who were refused together come apart. */
const JITTER = 0.2;

/** Part of the drain that is booked: room comes free a segment at a time, and clients are not there to the millisecond. */
const BOOKED = 0.95;

/** What is known when a request is refused. */
export interface Refusal {
  /** Bytes that it wants to bring. */
  readonly needBytes: number;
  /** Bytes per second that drain now. */
  readonly bytesPerSecond: number;
  /** How long nothing has drained, ms. */
  readonly stalledMs: number;
  /** Bytes that others, who wait already, will take first. */
  readonly aheadBytes: number;
  /** What the sink asked for, ms. */
  readonly hintMs: number;
  /** Whether it came back as it was told, and in vain: it waits half as long as the others. */
  readonly again: boolean;
}

/** The bookings of one stream. */
export class ReturnPromises {
  readonly #random: () => number;
  readonly #bytes: Float64Array = new Float64Array(SLOTS);
  readonly #requests: Int32Array = new Int32Array(SLOTS);
  /** Second, since the clock's zero, up to which old slots are cleared. */
  #second = 0;

  /** `random` gives 0 to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Books a time for the refused request; whole seconds from `nowMs`, 1 to 60. */
  book(refusal: Refusal, nowMs: number): number {
    const second = this.#turnTo(nowMs);
    const least = Math.min(MAX_SECONDS, Math.max(1, Math.ceil(refusal.hintMs / 1000), stallSeconds(refusal)));
    let seconds = MAX_SECONDS;
    let promised = refusal.aheadBytes;
    for (let wait = 0; wait <= MAX_SECONDS; wait++) {
      promised += this.#bytes[(second + wait) % SLOTS];
      if (wait >= least && promised + refusal.needBytes <= BOOKED * refusal.bytesPerSecond * wait) {
        seconds = wait;
        break;
      }
    }
    // Not the next second: many come back in vain together when the drain slows, and would do so again.
    seconds = Math.max(least, refusal.again ? Math.ceil(seconds / 2) : seconds);
    const spread = this.#random() * JITTER * seconds;
    // Never earlier than it would succeed; at the end of the minute there is only earlier.
    seconds = seconds + spread <= MAX_SECONDS
      ? Math.round(seconds + spread)
      : Math.round(MAX_SECONDS - spread);
    this.#bytes[(second + seconds) % SLOTS] += refusal.needBytes;
    this.#requests[(second + seconds) % SLOTS]++;
    return seconds;
  }

  /** One who was told to comes back, with `needBytes`. */
  kept(needBytes: number, nowMs: number): void {
    const second = this.#turnTo(nowMs);
    let bytesLeft = needBytes;
    let requestsLeft = 1;
    // The last second first: those who come in this one may have been promised either.
    for (const offset of [-1, 0, 1]) {
      const slot = (second + offset + SLOTS) % SLOTS;
      const bytes = Math.min(bytesLeft, this.#bytes[slot]);
      const requests = Math.min(requestsLeft, this.#requests[slot]);
      this.#bytes[slot] -= bytes;
      this.#requests[slot] -= requests;
      bytesLeft -= bytes;
      requestsLeft -= requests;
    }
  }

  /** Bytes that those will bring who are about to come: promised for the last second, this one and the next. */
  dueBytes(nowMs: number): number {
    const second = this.#turnTo(nowMs);
    return around(this.#bytes, second);
  }

  /** Requests that are about to come: promised for the same seconds. */
  dueRequests(nowMs: number): number {
    return around(this.#requests, this.#turnTo(nowMs));
  }

  /** Forgets what was promised for seconds that are over, but for the last one. */
  #turnTo(nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    const steps = Math.min(SLOTS, second - this.#second);
    for (let step = 1; step <= steps; step++) {
      const slot = (this.#second + step - 2 + 2 * SLOTS) % SLOTS;
      this.#bytes[slot] = 0;
      this.#requests[slot] = 0;
    }
    this.#second = Math.max(second, this.#second);
    return this.#second;
  }
}

/** What the last second, this one and the next have in `slots`. */
function around(slots: Float64Array | Int32Array, second: number): number {
  return slots[(second - 1 + SLOTS) % SLOTS] + slots[second % SLOTS] + slots[(second + 1) % SLOTS];
}

/** Seconds to stay away while nothing drains: as long as it has lasted, in powers of two; 0 while it drains as usual. */
function stallSeconds({ stalledMs, bytesPerSecond, needBytes }: Refusal): number {
  const usualMs = bytesPerSecond > 0 ? Math.max(1000, 2000 * needBytes / bytesPerSecond) : 0;
  if (stalledMs <= usualMs) return bytesPerSecond > 0 ? 0 : 1;
  return Math.min(MAX_SECONDS, 2 ** Math.floor(Math.log2(Math.max(1, stalledMs / 1000))));
}
