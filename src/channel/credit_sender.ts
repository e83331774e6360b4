/**
 * The sending end of one connection with many lanes. Credit is the only gate: one buffer costs one credit, an event
 * costs none, so a barrier or the end passes where data may not.
 *
 * A lane that cannot send is not in the ready list and costs nothing, so a lane whose sink stands still never delays
 * the others on its connection. Those that can send take turns, one message each (Flink's `PartitionRequestQueue`).
 *
 * The transport may answer at once: in process, `sendData` runs the receiver, which may grant credit before the call
 * returns. So every state is final before the transport is called, and one loop sends: whoever comes in from below it
 * only lengthens the list. The stack stays flat and nobody sends out of turn.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import type { ChannelEvent, Subpartition } from "../partition/subpartition.ts";

/** What a sender asks of the wire. None of the calls may throw for a reason that the other end gave. */
export interface SenderTransport<B> {
  /** Whether the wire takes another message now; when it does again, {@linkcode CreditSender.onWritable} is called. */
  readonly writable: boolean;
  /** Sends a buffer, whose hold goes over; `backlog` buffers wait behind it. */
  sendData(lane: number, sequence: number, backlog: number, buffer: B): void;
  /** Sends an event; `backlog` buffers wait behind it. */
  sendEvent(lane: number, sequence: number, backlog: number, event: ChannelEvent): void;
  /** Tells that `backlog` buffers wait on a lane that has no credit and never had any of its own. */
  announceBacklog(lane: number, backlog: number): void;
}

/** One lane at this end. It is a link of the ready list itself, so that queueing it allocates nothing. */
class SenderLane<B> {
  readonly lane: number;
  readonly source: Subpartition<B>;
  readonly initialCredit: number;
  credits: number;
  /** Number of the next message; events are counted too, so that a gap shows any loss. */
  sequence = 0;
  /** What the receiver was last told. */
  toldBacklog = 0;
  ready = false;
  nextReady: SenderLane<B> | null = null;

  constructor(lane: number, source: Subpartition<B>, initialCredit: number) {
    this.lane = lane;
    this.source = source;
    this.initialCredit = initialCredit;
    this.credits = initialCredit;
  }

  get sendable(): boolean {
    const head = this.source.peekKind();
    return head === "event" || (head === "data" && this.credits > 0);
  }
}

/** Sends the queues of many lanes over one connection. */
export class CreditSender<B> {
  readonly #transport: SenderTransport<B>;
  readonly #lanes = new Map<number, SenderLane<B>>();
  #firstReady: SenderLane<B> | null = null;
  #lastReady: SenderLane<B> | null = null;
  #sending = false;
  #announcementWaits = false;

  /** A sender without lanes; `transport` is the wire to its one receiver. */
  constructor(transport: SenderTransport<B>) {
    this.#transport = transport;
  }

  /** Starts sending `source` as lane `lane`. `initialCredit` is what the receiver reserved for it, told apart from later deltas. */
  openLane(lane: number, source: Subpartition<B>, initialCredit: number): void {
    assert(!this.#lanes.has(lane), `lane ${lane} is not opened twice at its sender`);
    assert(
      Number.isInteger(initialCredit) && initialCredit >= 0,
      "initial credit is a whole number of 0 or more",
    );
    const entry = new SenderLane(lane, source, initialCredit);
    this.#lanes.set(lane, entry);
    this.#changed(entry);
  }

  /** The receiver grants `delta` more, 1 or more. A lane that was cancelled meanwhile has no use for it. */
  onCredit(lane: number, delta: number): void {
    assert(Number.isInteger(delta) && delta > 0, "credit is granted as a delta of 1 or more");
    const entry = this.#lanes.get(lane);
    if (entry === undefined) return;
    entry.credits += delta;
    this.#changed(entry);
  }

  /** Something was added to the lane's queue. Harmless when nothing was, or the lane was cancelled. */
  notifyData(lane: number): void {
    const entry = this.#lanes.get(lane);
    if (entry !== undefined) this.#changed(entry);
  }

  /** The wire takes messages again. */
  onWritable(): void {
    if (this.#announcementWaits) {
      this.#announcementWaits = false;
      for (const entry of this.#lanes.values()) this.#announce(entry);
    }
    this.#send();
  }

  /** Stops sending the lane; what is queued stays with the owner of its queue. Harmless when it is cancelled already. */
  cancel(lane: number): void {
    const entry = this.#lanes.get(lane);
    if (entry === undefined) return;
    this.#lanes.delete(lane);
    if (entry.ready) this.#unlink(entry);
  }

  /** Buffers that the lane may still send; 0 when it is not open. */
  credits(lane: number): number {
    return this.#lanes.get(lane)?.credits ?? 0;
  }

  /** Lanes that could send and wait for their turn or for the wire, next one first. */
  get readyLanes(): number[] {
    const lanes: number[] = [];
    for (let entry = this.#firstReady; entry !== null; entry = entry.nextReady) lanes.push(entry.lane);
    return lanes;
  }

  /** The lane has got data or credit. */
  #changed(entry: SenderLane<B>): void {
    if (entry.sendable) {
      this.#enqueue(entry);
      this.#send();
    } else {
      this.#announce(entry);
    }
  }

  #send(): void {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#firstReady !== null && this.#transport.writable) this.#sendOne(this.#dequeue());
    } finally {
      this.#sending = false;
    }
  }

  /** One turn of a lane that can send. It is back at the end of the list, or out of it, before the message is sent. */
  #sendOne(entry: SenderLane<B>): void {
    const { lane, source } = entry;
    const sequence = entry.sequence++;
    if (source.peekKind() === "event") {
      const event = source.pollEvent();
      const backlog = entry.toldBacklog = source.backlog;
      if (entry.sendable) this.#enqueue(entry);
      this.#transport.sendEvent(lane, sequence, backlog, event);
      return;
    }
    assert(entry.credits > 0, "no data is sent without credit");
    entry.credits--;
    const buffer = source.pollBuffer();
    const backlog = entry.toldBacklog = source.backlog;
    if (entry.sendable) this.#enqueue(entry);
    this.#transport.sendData(lane, sequence, backlog, buffer);
  }

  /**
   * Without credit of its own a lane could never tell that it has data, so its backlog goes alone (FLINK-16641). With
   * initial credit this is never needed: that credit comes back when its buffers are settled.
   */
  #announce(entry: SenderLane<B>): void {
    const backlog = entry.source.backlog;
    if (entry.initialCredit > 0 || entry.credits > 0 || backlog === 0 || backlog === entry.toldBacklog) {
      return;
    }
    if (!this.#transport.writable) {
      this.#announcementWaits = true; // so that a blocked wire is not given a message for every buffer added
      return;
    }
    entry.toldBacklog = backlog;
    this.#transport.announceBacklog(entry.lane, backlog);
  }

  #enqueue(entry: SenderLane<B>): void {
    if (entry.ready) return;
    entry.ready = true;
    if (this.#lastReady === null) this.#firstReady = entry;
    else this.#lastReady.nextReady = entry;
    this.#lastReady = entry;
  }

  #dequeue(): SenderLane<B> {
    const entry = this.#firstReady!;
    this.#firstReady = entry.nextReady;
    if (this.#firstReady === null) this.#lastReady = null;
    entry.nextReady = null;
    entry.ready = false;
    return entry;
  }

  #unlink(entry: SenderLane<B>): void {
    let before: SenderLane<B> | null = null;
    for (let at = this.#firstReady; at !== entry; at = at!.nextReady) before = at;
    if (before === null) this.#firstReady = entry.nextReady;
    else before.nextReady = entry.nextReady;
    if (this.#lastReady === entry) this.#lastReady = before;
    entry.nextReady = null;
    entry.ready = false;
  }
}
