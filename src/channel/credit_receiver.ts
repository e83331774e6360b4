/**
 * The receiving end of one connection with many lanes: decides who may send how much, and hands over what arrives.
 *
 * Credit is told as deltas, never as free space: an absolute number forgets what is under way and admits it twice. A
 * delta waits here until the transport builds its message, so a busy wire carries one message for many credits.
 *
 * A sender that breaks the protocol loses the lane, and only that one: the others share nothing with it but the wire.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import type { ChannelEvent } from "../partition/subpartition.ts";
import { ChannelError } from "./channel_error.ts";
import { LaneCredits, type ReceiverLaneCredits } from "./lane_credits.ts";
import type { FloatingSource } from "./permit_pool.ts";

/** What a receiver asks of the wire. */
export interface ReceiverTransport {
  /** Credit of the lane waits to be told: fetch it by {@linkcode CreditReceiver.takeCredit} when the message is built. Said once until then. */
  creditWaiting(lane: number): void;
  /** Tells the sender to stop the lane. May be said more than once. */
  cancel(lane: number): void;
}

/** A lane at this end: how much it may get, and who takes it. */
export interface ReceiverLaneOptions<B> {
  /** Credits that are always the lane's: the sender's initial credit. May be 0 when `floating` has permits. */
  readonly exclusive: number;
  /** Where more comes from. */
  readonly floating: FloatingSource;
  /** Takes over a buffer. May settle it at once, and may close the lane. */
  onData(buffer: B): void;
  /** Takes an event, in line with the buffers. */
  onEvent(event: ChannelEvent): void;
  /** The sender broke the protocol: this lane is closed, the others go on. */
  onError(error: ChannelError): void;
}

class ReceiverLane<B> {
  readonly lane: number;
  readonly handlers: ReceiverLaneOptions<B>;
  readonly credits: LaneCredits;
  nextSequence = 0;

  constructor(lane: number, options: ReceiverLaneOptions<B>, creditWaiting: () => void) {
    this.lane = lane;
    this.handlers = options;
    this.credits = new LaneCredits(options.exclusive, options.floating, creditWaiting);
  }
}

/** Grants credit to the lanes of one connection. */
export class CreditReceiver<B> {
  readonly #transport: ReceiverTransport;
  readonly #lanes = new Map<number, ReceiverLane<B>>();

  /** A receiver without lanes; `transport` is the wire to its one sender. */
  constructor(transport: ReceiverTransport) {
    this.#transport = transport;
  }

  /**
   * Opens the lane, before its sender does. A number may be used again when all buffers of its former lane are settled.
   *
   * @throws {RangeError} when the lane could never get a credit.
   */
  openLane(lane: number, options: ReceiverLaneOptions<B>): void {
    assert(!this.#lanes.has(lane), `lane ${lane} is not opened twice at its receiver`);
    const { exclusive, floating } = options;
    assert(
      Number.isInteger(exclusive) && exclusive >= 0,
      "exclusive credits are a whole number of 0 or more",
    );
    if (exclusive + floating.totalPermits === 0) {
      throw new RangeError(
        `Cannot open lane ${lane} as a lane must be able to get a credit: it has 0 exclusive credits and a floating ` +
          "source of 0 permits; give it at least one of either",
      );
    }
    this.#lanes.set(lane, new ReceiverLane(lane, options, () => this.#transport.creditWaiting(lane)));
  }

  /**
   * A buffer arrived; `backlog` more wait at the sender. True when a lane took it over. False when none did, as the
   * lane is closed or the sender broke the protocol: then the caller still holds it.
   */
  onData(lane: number, sequence: number, backlog: number, buffer: B): boolean {
    const entry = this.#inTurn(lane, sequence);
    if (entry === null) return false;
    if (!entry.credits.use()) {
      this.#fail(
        entry,
        "credit",
        `Cannot take message ${sequence} of lane ${lane} as data needs credit, and none is left`,
      );
      return false;
    }
    // Credit first: the handler may settle, or close the lane, and finds all counts final.
    entry.credits.require(backlog);
    entry.handlers.onData(buffer);
    return true;
  }

  /** An event arrived; `backlog` buffers wait at the sender. False when no lane took it. */
  onEvent(lane: number, sequence: number, backlog: number, event: ChannelEvent): boolean {
    const entry = this.#inTurn(lane, sequence);
    if (entry === null) return false;
    entry.credits.require(backlog);
    entry.handlers.onEvent(event);
    return true;
  }

  /** The sender tells `backlog` alone. */
  onBacklog(lane: number, backlog: number): void {
    this.#lanes.get(lane)?.credits.require(backlog);
  }

  /** One buffer of the lane was settled: its credit comes back. Harmless when the lane was closed meanwhile. */
  settled(lane: number): void {
    this.#lanes.get(lane)?.credits.settle();
  }

  /** Credit to tell the sender of, for the message that is being built; from here on it is on its way. 0 when there is nothing to tell. */
  takeCredit(lane: number): number {
    return this.#lanes.get(lane)?.credits.announce() ?? 0;
  }

  /** Closes the lane: its sender is told to stop, its floating credits go back, those in use too. Harmless when it is closed. */
  closeLane(lane: number): void {
    const entry = this.#lanes.get(lane);
    if (entry !== undefined) this.#close(entry);
  }

  /** Credits of the lane; null when it is not open. */
  credits(lane: number): ReceiverLaneCredits | null {
    return this.#lanes.get(lane)?.credits ?? null;
  }

  /** The lane of a message that comes in its turn; null when it does not, and then the lane is closed. */
  #inTurn(lane: number, sequence: number): ReceiverLane<B> | null {
    const entry = this.#lanes.get(lane);
    if (entry === undefined) {
      this.#transport.cancel(lane);
      return null;
    }
    const next = entry.nextSequence;
    if (sequence !== next) {
      this.#fail(
        entry,
        "sequence",
        `Cannot take message ${sequence} of lane ${lane} as messages come in order, and ${next} is next`,
      );
      return null;
    }
    entry.nextSequence++;
    return entry;
  }

  #fail(entry: ReceiverLane<B>, kind: ChannelError["kind"], fault: string): void {
    this.#close(entry);
    entry.handlers.onError(
      new ChannelError(kind, entry.lane, `${fault}; the lane is closed, open it anew at both ends`),
    );
  }

  #close(entry: ReceiverLane<B>): void {
    this.#lanes.delete(entry.lane);
    this.#transport.cancel(entry.lane);
    entry.credits.close();
  }
}
