/**
 * The queue of one lane: what its stream has finished and its channel has not taken yet.
 *
 * Only finished buffers enter. The one that is still being filled stays with the partition, so it cannot be counted as
 * backlog, and no credit is asked for what cannot be sent (FLINK-11082).
 *
 * Its maximum is its owner's, which also counts what the lane holds behind the channel (`PartitionLane.maxBuffers`).
 * Events are few: one at a flush, a barrier or the end.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { Ring } from "../core/ring.ts";

/** What travels in line with the buffers and is none: it costs no credit and no segment. */
export type ChannelEvent =
  /** Nothing follows. */
  | { readonly kind: "end" }
  /** What came before should not linger. */
  | { readonly kind: "flush" }
  /** What came before belongs to cut `id`. */
  | { readonly kind: "barrier"; readonly id: number };

/** What stands at the head of the queue. */
export type HeadKind = "data" | "event" | "none";

/** Marks an event in the queue, whatever the buffers are. */
class QueuedEvent {
  readonly event: ChannelEvent;
  constructor(event: ChannelEvent) {
    this.event = event;
  }
}

/** First in, first out; `B` is the buffer's type. */
export class Subpartition<B> {
  readonly #queue = new Ring<B | QueuedEvent>();
  #backlog = 0;

  /** Buffers and events queued. */
  get length(): number {
    return this.#queue.length;
  }

  /** Buffers queued, events not counted: what the other end has to find room for. */
  get backlog(): number {
    return this.#backlog;
  }

  /** Queues a finished buffer; its hold goes over to whoever polls it. */
  add(buffer: B): void {
    this.#queue.push(buffer);
    this.#backlog++;
  }

  /** Queues `event` behind all that is queued now. */
  addEvent(event: ChannelEvent): void {
    this.#queue.push(new QueuedEvent(event));
  }

  /** What the next poll would give. */
  peekKind(): HeadKind {
    if (this.#queue.length === 0) return "none";
    return this.#queue.at(0) instanceof QueuedEvent ? "event" : "data";
  }

  /** Takes the buffer at the head. */
  pollBuffer(): B {
    assert(this.peekKind() === "data", "a buffer is polled when one is at the head of the queue");
    this.#backlog--;
    return this.#queue.shift() as B;
  }

  /** Takes the event at the head. */
  pollEvent(): ChannelEvent {
    assert(this.peekKind() === "event", "an event is polled when one is at the head of the queue");
    return (this.#queue.shift() as QueuedEvent).event;
  }

  /** Empties the queue; `release` is given each buffer, oldest first. What it adds stays. */
  drain(release: (buffer: B) => void): void {
    for (let left = this.#queue.length; left > 0; left--) {
      if (this.peekKind() === "event") this.pollEvent();
      else release(this.pollBuffer());
    }
  }
}
