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
const BOOKED = 0.9;

/** The same for those who came back in vain: what the others leave is theirs, or each would push out the next. */
const BOOKED_AGAIN = 1;

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
  /** Whether it came back as it was told, and in vain: what is not booked of the drain is for such. */
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
    const first = this.#firstRoom(refusal, second, least);
    const spread = this.#random() * JITTER * first;
    // Never earlier than it would succeed; at the end of the minute there is only earlier.
    const seconds = first + spread <= MAX_SECONDS
      ? this.#firstRoom(refusal, second, Math.round(first + spread))
      : Math.round(MAX_SECONDS - spread);
    this.#bytes[(second + seconds) % SLOTS] += refusal.needBytes;
    this.#requests[(second + seconds) % SLOTS]++;
    return seconds;
  }

  /** First wait from `from` on, in seconds, at which there is room for it and still for all who were promised later; 60 when there is none. */
  #firstRoom(
    { needBytes, bytesPerSecond, aheadBytes, again }: Refusal,
    second: number,
    from: number,
  ): number {
    const drains = (again ? BOOKED_AGAIN : BOOKED) * bytesPerSecond;
    const keptBytes = drains + needBytes;
    let freeBytes = -aheadBytes;
    let leftBytes = 0;
    let found = 0;
    for (let wait = 1; wait <= MAX_SECONDS; wait++) {
      const booked = this.#bytes[(second + wait) % SLOTS];
      freeBytes = Math.min(keptBytes, freeBytes + drains);
      leftBytes = Math.min(keptBytes, leftBytes + drains);
      // It may not take what those count on who were promised a later second.
      if (leftBytes < booked && freeBytes >= booked) found = 0;
      if (found === 0 && wait >= from && freeBytes >= booked + needBytes) {
        found = wait;
        leftBytes = freeBytes - needBytes;
      }
      // Of those who are too many for their second, the rest will be refused, and booked, themselves.
      freeBytes -= Math.min(booked, Math.max(0, freeBytes));
      leftBytes -= Math.min(booked, Math.max(0, leftBytes));
    }
    return found || MAX_SECONDS;
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
