/**
 * Joins a sender and a receiver in one process: a message is a call and a buffer goes by reference, uncopied.
 *
 * There is no window: credit alone bounds what is handed over, as it does on a wire that is never full. Calls return
 * when the other end has reacted, so a settled buffer fetches the next one before `settled` returns.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import type { ChannelEvent } from "../partition/subpartition.ts";
import { CreditReceiver, type ReceiverTransport } from "./credit_receiver.ts";
import { CreditSender, type SenderTransport } from "./credit_sender.ts";

/** Both ends of a connection within one process. */
export interface LocalConnection<B> {
  /** Takes from the partition's queues. */
  readonly sender: CreditSender<B>;
  /** Gives to the lanes. Each lane is opened here first. */
  readonly receiver: CreditReceiver<B>;
}

class LocalTransport<B> implements SenderTransport<B>, ReceiverTransport, LocalConnection<B> {
  readonly sender: CreditSender<B> = new CreditSender<B>(this);
  readonly receiver: CreditReceiver<B> = new CreditReceiver<B>(this);
  readonly writable = true;

  sendData(lane: number, sequence: number, backlog: number, buffer: B): void {
    const taken = this.receiver.onData(lane, sequence, backlog, buffer);
    assert(
      taken,
      "a lane is open at its receiver for as long as its sender sends, and has credit for what it sends",
    );
  }

  sendEvent(lane: number, sequence: number, backlog: number, event: ChannelEvent): void {
    const taken = this.receiver.onEvent(lane, sequence, backlog, event);
    assert(taken, "a lane is open at its receiver for as long as its sender sends");
  }

  announceBacklog(lane: number, backlog: number): void {
    this.receiver.onBacklog(lane, backlog);
  }

  creditWaiting(lane: number): void {
    this.sender.onCredit(lane, this.receiver.takeCredit(lane));
  }

  cancel(lane: number): void {
    this.sender.cancel(lane);
  }
}

/** A sender and a receiver, joined. A lane is opened at the receiver, then at the sender with the same exclusive credit. */
export function joinLocal<B>(): LocalConnection<B> {
  return new LocalTransport<B>();
}
