/**
 * What a receiver says when a sender breaks the protocol. It is an error of one lane: the others on the connection go on.
 *
 * @module
 */

/** A lane's sender broke the credit protocol. */
export class ChannelError extends Error {
  /** Always `ChannelError`. */
  override readonly name = "ChannelError";
  /** `sequence`: a message is missing or out of order. `credit`: data came without credit for it. */
  readonly kind: "sequence" | "credit";
  /** The lane. */
  readonly lane: number;

  /** An error of lane `lane`. `message` says action, rule, value and what to do. */
  constructor(kind: "sequence" | "credit", lane: number, message: string) {
    super(message);
    this.kind = kind;
    this.lane = lane;
  }
}
