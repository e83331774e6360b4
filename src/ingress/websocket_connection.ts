/**
 * One WebSocket: its messages become records of the stream, one each, and what the stream cannot take holds the client
 * back, because its socket is not read.
 *
 * Everything happens inside the message event: the runtime hands over tens of megabytes between two microtasks. What is
 * parsed already when the socket is paused is held here and enters the stream first when there is room again.
 *
 * @module
 */
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import { hashKey, type RecordMeta } from "../core/record.ts";
import type { Timer } from "../core/clock.ts";
import { nextAge, type PausedReader } from "../admission/arrivals.ts";
import type { AckCounter } from "../partition/acks.ts";
import { HeldMessages } from "./held_messages.ts";
import type { PartialBudget, PartialHolder } from "./partial_budget.ts";
import { RecordRun, type RunOwner } from "./record_run.ts";
import type { ActiveRequest, StreamDoor } from "./stream_door.ts";
import { Close, cutToBytes, MAX_REASON_BYTES } from "./websocket_close.ts";
import type { Parsing } from "./websocket_parsing.ts";

/** Why a socket is not read; bits, as several may hold at once. */
export const Block = {
  /** The stream has no room. */
  ROOM: 1,
  /** Unfinished messages take all of `buffers.partialBytes`. */
  BUDGET: 2,
  /** The stream's quota is used up. */
  QUOTA: 4,
  /** The client does not read what it is told. */
  OUTPUT: 8,
  /** The gateway drains, or the stream goes. */
  DRAIN: 16,
} as const;

/** Held messages up to that many bytes are the reserve of a paused socket: one read of the kernel brings no more. Beyond, they are a large message that waits, and count against the budget. */
const RESERVE_BYTES = 65_536;

/** What the messages of a connection are told to: nobody, or a `weir.v1` session. */
export interface MessageObserver {
  /** A message of `bytes` bytes is here. True when it is within credit: room is kept for it, and only a quota can hold it up. */
  arrived(bytes: number): boolean;
  /** One that is within credit waits for the stream's quota, while its client is read on: room is kept for it. */
  keep(bytes: number): void;
  /** It waits no longer. */
  letGo(bytes: number): void;
  /** Whether the client waits for what it was promised: an ack, or credit. */
  readonly waits: boolean;
  /** Whose delivery the last `records` messages belong to, or null. */
  counter(records: number): AckCounter | null;
  /** The message is accounted for: it is in the stream, or was refused with `reason`. */
  done(reason: string | null): void;
  /** Tells what there is to tell, now: the connection closes. */
  flush(): void;
  /** The connection is gone. */
  gone(): void;
}

/** The connection. */
export class WebSocketConnection implements PausedReader, PartialHolder, ActiveRequest, RunOwner {
  /** Its turn among those that wait for room; new at every pause, so that connections take turns. */
  age = Infinity;
  /** When its client sent the last byte, clock time. */
  lastByteMs: number;
  /** When its client last sent something of a message, was read again, or was told something; clock time. */
  quietSinceMs: number;
  readonly #socket: WebSocket;
  readonly #door: StreamDoor;
  readonly #budget: PartialBudget;
  readonly #parsing: Parsing;
  #meta: RecordMeta | null;
  readonly #keyHash: number;
  readonly #held = new HeldMessages();
  readonly #onClosing: () => Timer;
  readonly #onGone: () => void;
  #closeTimer: Timer | null = null;
  #observer: MessageObserver | null = null;
  #blocks = 0;
  #waitsForQuota = false;
  /** Messages that are read in one go and enter the stream together; open only within one event. */
  readonly #run: RecordRun;
  #inChunk = false;
  /** Whether a message came with this chunk. */
  #messageCame = false;
  /** What there is of a message that is not complete. */
  #partialBytes = 0;
  #closing = false;
  #isGone = false;

  /** Reads from the first message on. `meta` is what its records share beside the moment, or null; `onClosing` ends a connection whose client does not close it. */
  constructor(options: {
    socket: WebSocket;
    door: StreamDoor;
    budget: PartialBudget;
    parsing: Parsing;
    meta: RecordMeta | null;
    onClosing: () => Timer;
    onGone: () => void;
  }) {
    this.#socket = options.socket;
    this.#door = options.door;
    this.#budget = options.budget;
    this.#parsing = options.parsing;
    this.#meta = options.meta;
    this.#onClosing = options.onClosing;
    this.#onGone = options.onGone;
    this.#run = new RecordRun(options.door, this, "the message");
    const key = options.meta?.key;
    this.#keyHash = key !== undefined && key.length > 0 ? hashKey(key, 0, key.length) : -1;
    this.lastByteMs = this.quietSinceMs = options.door.clock.nowMs();
    options.door.sockets.add(this);
    this.#socket.on("message", (data: Uint8Array) => this.#onMessage(data));
    this.#socket.on("close", () => this.#gone());
    // ws closes with the right code by itself (1002, 1007, 1009); without a listener the error would be thrown.
    this.#socket.on("error", () => {});
    options.parsing.onChunk(() => this.#inChunk = true, () => this.#chunkParsed());
  }

  /** Whom its messages are told to. */
  observe(observer: MessageObserver): void {
    this.#observer = observer;
  }

  /** Whether the socket is not read. */
  get paused(): boolean {
    return this.#blocks !== 0;
  }

  /** Whether its client cannot send, or waits for what it was promised: silence is no idleness then. */
  get waits(): boolean {
    return this.paused || this.reads || (this.#observer?.waits ?? false);
  }

  /** Whether messages that were read still wait for room. */
  get reads(): boolean {
    return this.#held.count > 0;
  }

  get expectedBytes(): number {
    return this.#held.firstLength;
  }

  get maxSilenceMs(): number {
    return this.#door.policy.maxStallMs;
  }

  /** There may be room: true when the connection waits for it no longer. */
  retry(): boolean {
    if (this.#isGone || this.#closing) return true;
    return this.#takeHeld();
  }

  /** The quota has tokens again. */
  quotaOpened(): void {
    if (this.#isGone || this.#closing) return;
    if (!this.#takeHeld()) this.#waitForRoom();
  }

  setOverBudget(over: boolean): void {
    this.block(Block.BUDGET, over);
  }

  giveUp(): void {
    this.close(Close.TRY_AGAIN, "the message was not finished while others waited for partialBytes");
  }

  counterOf(records: number): AckCounter | null {
    return this.#observer === null ? null : this.#observer.counter(records);
  }

  /** Stops reading for `reason`, or goes on when no other reason is left. */
  block(reason: number, set: boolean): void {
    const before = this.#blocks;
    this.#blocks = set ? before | reason : before & ~reason;
    if (before === 0 && this.#blocks !== 0) {
      this.#door.pausedSockets++;
      this.#socket.pause();
    } else if (before !== 0 && this.#blocks === 0) {
      this.#door.pausedSockets--;
      this.told();
      this.#socket.resume();
    }
  }

  /** The gateway drains: what is held may still enter, nothing more is read. */
  drain(): void {
    this.block(Block.DRAIN, true);
  }

  /** The gateway stops, or the stream goes: 1001 after the last ack. */
  stop(): void {
    this.close(Close.GOING_AWAY, "the gateway goes away; connect again");
  }

  /** Closes with `code`; what is held is forgotten, nothing of it was acked. */
  close(code: number, reason: string): void {
    if (this.#closing || this.#isGone) return;
    this.#closing = true;
    this.#observer?.flush();
    this.#letGo();
    // Reading goes on, or the client's close frame would never be seen; its messages are not taken any more.
    this.block(this.#blocks, false);
    this.#socket.close(code, cutToBytes(reason, MAX_REASON_BYTES));
    this.#closeTimer = this.#onClosing();
  }

  /** Its client was told something, or is read again: from now on it may be quiet. */
  told(): void {
    this.quietSinceMs = this.#door.clock.nowMs();
  }

  /** Asks its client whether it is there. */
  ping(): void {
    this.#socket.ping();
  }

  /** Ends the connection without a word. */
  terminate(): void {
    this.#socket.terminate();
  }

  #onMessage(message: Uint8Array): void {
    try {
      this.#message(message);
    } catch (error) {
      // An exception in a listener of ws ends the process on this runtime, without its message.
      this.#door.failed("a WebSocket connection", error);
      this.#socket.terminate();
    }
  }

  #message(message: Uint8Array): void {
    if (this.#closing) return;
    this.#messageCame = true;
    const inCredit = this.#observer?.arrived(message.length) ?? false;
    if (this.#held.count === 0 && ((this.#blocks & (Block.ROOM | Block.QUOTA)) === 0 || inCredit)) {
      if (this.#take(message, inCredit)) return;
    }
    if (this.#closing) return;
    // Pings and the close of a client that keeps to its credit pass, whatever its messages wait for.
    const isKept = inCredit && this.#waitsForQuota && this.#held.areKept;
    this.#held.push(message, isKept);
    if (isKept) return this.#observer!.keep(message.length);
    if ((this.#blocks & (Block.ROOM | Block.QUOTA)) !== 0) return;
    if (this.#waitsForQuota) this.block(Block.QUOTA, true);
    else this.#waitForRoom();
  }

  /** What came from the client is parsed: all of its messages were delivered. */
  #chunkParsed(): void {
    this.#inChunk = false;
    this.#run.end();
    this.lastByteMs = this.#door.clock.nowMs();
    const { partialBytes } = this.#parsing;
    if (this.#messageCame || partialBytes > this.#partialBytes) this.quietSinceMs = this.lastByteMs;
    this.#messageCame = false;
    this.#partialBytes = partialBytes;
    this.#countHeld();
  }

  #countHeld(): void {
    if (this.#closing) return;
    const { unkeptBytes } = this.#held;
    const held = unkeptBytes > RESERVE_BYTES ? unkeptBytes : 0;
    this.#budget.update(this, held + this.#parsing.unfinishedBytes);
  }

  #waitForRoom(): void {
    this.age = nextAge();
    this.#door.admission.waitToRead(this);
    this.block(Block.ROOM, true);
  }

  /** Takes what is held, in order, until there is no room. True when it does not wait for room any more. */
  #takeHeld(): boolean {
    this.#inChunk = true;
    try {
      return this.#takeHeldRun();
    } finally {
      this.#inChunk = false;
    }
  }

  #takeHeldRun(): boolean {
    let waitsForQuota = false;
    while (this.#held.count > 0 && !waitsForQuota) {
      if (this.#takeFirst()) {
        if (this.#closing) return true;
        this.#held.shift();
      } else if (this.#waitsForQuota) waitsForQuota = true;
      else {
        this.#run.end();
        return false;
      }
    }
    this.#run.end();
    this.age = Infinity;
    this.#countHeld();
    if (waitsForQuota) {
      this.block(Block.QUOTA, !this.#held.areKept);
      this.block(Block.ROOM, false);
    } else {
      this.block(Block.ROOM | Block.QUOTA, false);
      this.#door.readingEnded();
    }
    return true;
  }

  /** Takes the first message that is held, by the room that may be kept for it. As `#take`. */
  #takeFirst(): boolean {
    const message = this.#held.first();
    if (!this.#held.firstIsKept) return this.#take(message, false);
    this.#observer!.letGo(message.length);
    const taken = this.#take(message, true);
    if (!taken) this.#observer!.keep(message.length);
    return taken;
  }

  /** Takes one message into the stream. True when it is done with: taken, or refused. */
  #take(message: Uint8Array, inCredit: boolean): boolean {
    this.#waitsForQuota = false;
    const run = this.#run;
    if (!run.goesOn(message.length, this.#keyHash)) {
      if (!inCredit && !this.#door.admission.mayRead(this)) return false;
      run.begin(this.#metaOfNow());
    }
    const taken = this.#add(message);
    if (!this.#inChunk || !run.takesMany(this.#keyHash)) run.end();
    return taken;
  }

  /** Adds `message` to the run. False: it has to wait. */
  #add(message: Uint8Array): boolean {
    if (message.length === 0) return this.#refuse(Close.POLICY, "the message is empty");
    switch (this.#run.add(message, this.#keyHash)) {
      case "taken":
        this.#observer?.done(null);
        return true;
      case "no-room":
        return false;
      case "no-quota":
        this.#waitsForQuota = true;
        this.#door.admission.waitForQuota(this, message.length);
        return false;
      case "refused": {
        const { kind, detail } = this.#run.refusal!;
        return this.#refuse(kind === "too-large" ? Close.TOO_BIG : Close.POLICY, detail);
      }
    }
  }

  /** What this message shares with those before it, and the moment; the same object within one millisecond. */
  #metaOfNow(): RecordMeta {
    const plain = this.#door.admission.partition.plainMeta();
    if (this.#meta === null) return plain;
    if (this.#meta.acceptedAtMs !== plain.acceptedAtMs) {
      this.#meta = { ...this.#meta, acceptedAtMs: plain.acceptedAtMs };
    }
    return this.#meta;
  }

  /** True, as the message is done with. */
  #refuse(code: number, reason: string): true {
    this.#door.rejectedRecords++;
    // Before it is counted: a run is of messages without a gap.
    this.#run.end();
    if (this.#observer === null) this.close(code, reason);
    else this.#observer.done(reason);
    return true;
  }

  /** Gives back all but the socket. */
  #letGo(): void {
    this.#held.clear();
    this.#budget.remove(this);
    this.#door.admission.leaveReading(this);
    this.#door.readingEnded();
  }

  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    if (this.#blocks !== 0) this.#door.pausedSockets--;
    this.#blocks = 0;
    this.#letGo();
    this.#door.sockets.delete(this);
    this.#observer?.gone();
    this.#closeTimer?.cancel();
    this.#onGone();
  }
}
