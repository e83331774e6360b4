/**
 * The credit protocol over a byte stream, as it would run between two gateways: frames are split, joined and late, the
 * window is small, and payloads are copied into buffers of the receiving side. Nothing moves but by `step`, and `step`
 * draws from the given chance, so a seed replays a run.
 *
 * Frame: length u32 (of the whole frame), magic u32, type u8, lane u32, sequence u32, count i32 (the backlog, or the
 * credit of a CREDIT), payload. CREDIT and CANCEL go in front of every frame that is not begun: credit that waits
 * behind blocked data of its own direction is a deadlock.
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";
import { CreditReceiver, type ReceiverTransport } from "../../src/channel/credit_receiver.ts";
import { CreditSender, type SenderTransport } from "../../src/channel/credit_sender.ts";
import type { ChannelEvent } from "../../src/partition/subpartition.ts";

const MAGIC = 0xBADC0FFE;
const HEADER_BYTES = 21;
/** Above this many queued bytes the wire takes no more; a few frames of the tests' payloads. */
export const HIGH_MARK_BYTES = 256;
/** Below this many it takes messages again. */
export const LOW_MARK_BYTES = 128;

/** Types of frames. */
export const FrameType = { DATA: 0, EVENT: 1, BACKLOG: 2, CREDIT: 3, CANCEL: 4 } as const;

/** How buffers cross: their bytes are copied, and the copy belongs to the receiving side. */
export interface BufferCodec<B> {
  /** Bytes of `buffer`; its hold ends here. */
  encode(buffer: B): Uint8Array;
  /** A buffer of the receiving side with a copy of `payload`. */
  decode(payload: Uint8Array): B;
  /** No lane took `buffer`. */
  discard(buffer: B): void;
}

/** One end of the stream: a sender and a receiver that share what goes out. */
export class FramedEnd<B> implements SenderTransport<B>, ReceiverTransport {
  readonly sender: CreditSender<B> = new CreditSender<B>(this);
  readonly receiver: CreditReceiver<B> = new CreditReceiver<B>(this);
  /** Frames that this end received, by type. */
  readonly received: [number, number, number, number, number] = [0, 0, 0, 0, 0];
  /** Most bytes that were queued at once, control frames aside. */
  maxQueuedBytes = 0;
  writable = true;
  readonly #codec: BufferCodec<B>;
  readonly #creditUnderWay = new Map<number, number>();
  readonly #dataUnderWay = new Map<number, number>();
  readonly #waitingCredit: number[] = [];
  readonly #waitingCancels: number[] = [];
  #frames: Uint8Array[] = [];
  #queuedBytes = 0;
  #begun: Uint8Array = new Uint8Array(0);
  #unread: Uint8Array = new Uint8Array(0);

  constructor(codec: BufferCodec<B>) {
    this.#codec = codec;
  }

  /** Data and credit that this end sent for the lane. The other end takes off what arrived. */
  underWay(lane: number): { data: number; credit: number } {
    return { data: this.#dataUnderWay.get(lane) ?? 0, credit: this.#creditUnderWay.get(lane) ?? 0 };
  }

  sendData(lane: number, sequence: number, backlog: number, buffer: B): void {
    add(this.#dataUnderWay, lane, 1);
    this.#queue(frame(FrameType.DATA, lane, sequence, backlog, this.#codec.encode(buffer)));
  }

  sendEvent(lane: number, sequence: number, backlog: number, event: ChannelEvent): void {
    const payload = new TextEncoder().encode(JSON.stringify(event));
    this.#queue(frame(FrameType.EVENT, lane, sequence, backlog, payload));
  }

  announceBacklog(lane: number, backlog: number): void {
    this.#queue(frame(FrameType.BACKLOG, lane, 0, backlog));
  }

  creditWaiting(lane: number): void {
    assert(!this.#waitingCredit.includes(lane), "credit is said to wait once until it is fetched");
    this.#waitingCredit.push(lane);
  }

  cancel(lane: number): void {
    this.#waitingCancels.push(lane);
  }

  /** Takes up to `maxBytes` of what goes out. Nothing is written ahead: credit is read when its frame is built. */
  transmit(maxBytes: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let left = maxBytes;
    while (left > 0) {
      if (this.#begun.length === 0) this.#begun = this.#nextControl() ?? this.#nextFrame() ?? this.#begun;
      if (this.#begun.length === 0) break;
      const part = this.#begun.subarray(0, left);
      this.#begun = this.#begun.subarray(part.length);
      left -= part.length;
      parts.push(part);
    }
    if (!this.writable && this.#queuedBytes < LOW_MARK_BYTES) {
      this.writable = true;
      this.sender.onWritable();
    }
    return concat(parts);
  }

  /** Reads bytes that `from` transmitted. */
  receive(bytes: Uint8Array, from: FramedEnd<B>): void {
    this.#unread = concat([this.#unread, bytes]);
    while (this.#unread.length >= 4) {
      const view = new DataView(this.#unread.buffer, this.#unread.byteOffset);
      const length = view.getUint32(0);
      if (this.#unread.length < length) return;
      const whole = this.#unread.subarray(0, length);
      this.#unread = this.#unread.subarray(length);
      this.#dispatch(whole, from);
    }
  }

  #dispatch(bytes: Uint8Array, from: FramedEnd<B>): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const magic = view.getUint32(4);
    if (magic !== MAGIC) {
      throw new Error(`Cannot read frame as it must begin with magic ${MAGIC}: got ${magic}`);
    }
    const [type, lane, sequence, count] = [
      view.getUint8(8),
      view.getUint32(9),
      view.getUint32(13),
      view.getInt32(17),
    ];
    const payload = bytes.subarray(HEADER_BYTES);
    this.received[type]++;
    if (type === FrameType.DATA) {
      add(from.#dataUnderWay, lane, -1);
      const buffer = this.#codec.decode(payload);
      if (!this.receiver.onData(lane, sequence, count, buffer)) this.#codec.discard(buffer);
    } else if (type === FrameType.EVENT) {
      this.receiver.onEvent(lane, sequence, count, JSON.parse(new TextDecoder().decode(payload)));
    } else if (type === FrameType.BACKLOG) {
      this.receiver.onBacklog(lane, count);
    } else if (type === FrameType.CREDIT) {
      add(from.#creditUnderWay, lane, -count);
      this.sender.onCredit(lane, count);
    } else {
      this.sender.cancel(lane);
    }
  }

  #queue(bytes: Uint8Array): void {
    assert(this.writable, "a sender writes only while the wire takes it");
    this.#frames.push(bytes);
    this.#queuedBytes += bytes.length;
    this.maxQueuedBytes = Math.max(this.maxQueuedBytes, this.#queuedBytes);
    this.writable = this.#queuedBytes <= HIGH_MARK_BYTES;
  }

  #nextControl(): Uint8Array | null {
    const cancelled = this.#waitingCancels.shift();
    if (cancelled !== undefined) return frame(FrameType.CANCEL, cancelled, 0, 0);
    for (let lane = this.#waitingCredit.shift(); lane !== undefined; lane = this.#waitingCredit.shift()) {
      const delta = this.receiver.takeCredit(lane);
      if (delta === 0) continue; // the lane was closed after it had credit to tell
      add(this.#creditUnderWay, lane, delta);
      return frame(FrameType.CREDIT, lane, 0, delta);
    }
    return null;
  }

  #nextFrame(): Uint8Array | null {
    const next = this.#frames.shift();
    if (next === undefined) return null;
    this.#queuedBytes -= next.length;
    return next;
  }
}

/** Two ends and the bytes between them. */
export class FramedLink<B> {
  readonly a: FramedEnd<B>;
  readonly b: FramedEnd<B>;
  readonly #random: () => number;
  readonly #wires: { from: FramedEnd<B>; to: FramedEnd<B>; late: Uint8Array[] }[];

  constructor(codec: BufferCodec<B>, random: () => number) {
    this.a = new FramedEnd(codec);
    this.b = new FramedEnd(codec);
    this.#random = random;
    this.#wires = [{ from: this.a, to: this.b, late: [] }, { from: this.b, to: this.a, late: [] }];
  }

  /** Moves some bytes of one direction one stretch on: out of their end, or into the other. False when there are none. */
  step(): boolean {
    const first = this.#draw(4);
    for (let k = 0; k < 4; k++) {
      const choice = (first + k) % 4;
      const wire = this.#wires[choice & 1];
      if (choice < 2 ? this.#send(wire) : this.#deliver(wire)) return true;
    }
    return false;
  }

  #send(wire: { from: FramedEnd<B>; late: Uint8Array[] }): boolean {
    const bytes = wire.from.transmit(1 + this.#draw(3 * HEADER_BYTES));
    if (bytes.length > 0) wire.late.push(bytes);
    return bytes.length > 0;
  }

  #deliver(wire: { from: FramedEnd<B>; to: FramedEnd<B>; late: Uint8Array[] }): boolean {
    if (wire.late.length === 0) return false;
    wire.to.receive(concat(wire.late.splice(0, 1 + this.#draw(wire.late.length))), wire.from);
    return true;
  }

  #draw(below: number): number {
    return Math.floor(this.#random() * below);
  }
}

function frame(
  type: number,
  lane: number,
  sequence: number,
  count: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length);
  view.setUint32(4, MAGIC);
  view.setUint8(8, type);
  view.setUint32(9, lane);
  view.setUint32(13, sequence);
  view.setInt32(17, count);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function add(counts: Map<number, number>, lane: number, by: number): void {
  counts.set(lane, (counts.get(lane) ?? 0) + by);
}
