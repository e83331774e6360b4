/**
 * The body of one request to a stream, from its headers to its last record; what becomes of them is told by its answer.
 *
 * A body that is here whole is written into the stream's open segment, all or nothing, in one turn. One that is still
 * arriving fills segments of its own; up to 1 MiB it is whole or nothing too, beyond that it is streamed: what is
 * complete is handed over as it comes, and the socket is paused while there is no segment.
 *
 * @module
 */
import { hashKey, type RecordMeta } from "../core/record.ts";
import { type AdmittedBody, nextAge } from "../admission/arrivals.ts";
import type { RecordWriter } from "../partition/record_writer.ts";
import type { BodyWriter } from "../partition/result_partition.ts";
import { ArrivingBody } from "./arriving_body.ts";
import { BodyDecoder } from "./decoder.ts";
import type { Exchange } from "./exchange.ts";
import { type BodyFormat, sniff } from "./formats.ts";
import type { Framer } from "./framer.ts";
import { type AnsweredBody, IngestAnswer } from "./ingest_answer.ts";
import { type IngestHead, slotFlags } from "./ingest_head.ts";
import {
  badRequest,
  bodyTooLarge,
  noRoom,
  nothingAcceptable,
  overBurst,
  overMemory,
  quotaUsedUp,
  type Refusal,
  unreadable,
} from "./refusals.ts";
import type { StreamDoor } from "./stream_door.ts";

/** Up to this many decoded bytes a body is taken whole or not at all. */
export const WHOLE_BYTES = 1_048_576;

/** An encoding adds a header and a few bytes per block to data that does not shrink; more is padding. */
const ENCODING_OVERHEAD_BYTES = 65_536;

/** A client may be this much early, ms: its clock and ours tick apart, and its wait began before our answer was written. */
const EARLY_MS = 100;

const EMPTY = new Uint8Array(0);

/** The request. */
export class IngestRequest implements AdmittedBody, AnsweredBody {
  readonly age: number;
  readonly promised: boolean;
  /** What it is told. */
  readonly answer: IngestAnswer;
  isComplete = false;
  isStreamed = false;
  readonly #door: StreamDoor;
  readonly #exchange: Exchange;
  readonly #head: IngestHead;
  #format: BodyFormat;
  #meta: RecordMeta | null = null;
  #decoder: BodyDecoder | null = null;
  #encodedEnded = false;
  #ended = false;
  #decodedBytes = 0;
  #receivedBytes = 0;
  #lastByteMs = 0;
  /** What has come and waits, for a segment or for its format; most bodies are one chunk that does not. */
  #chunks: Uint8Array[] | null = null;
  #arriving: ArrivingBody | null = null;
  #waiting = false;

  /** Begins to take the body; the head was accepted. */
  constructor(door: StreamDoor, exchange: Exchange, head: IngestHead) {
    // A client that waited as it was told is as old as when it was refused: whoever comes for the first time is behind it.
    const rank = exchange.takeRank(door.clock.nowMs());
    this.age = rank < 0 ? nextAge() : rank;
    this.promised = rank >= 0;
    this.#door = door;
    this.#exchange = exchange;
    this.#head = head;
    this.#format = head.format;
    this.answer = new IngestAnswer(door, exchange, this);
    if (this.promised) door.admission.promiseKept(Math.max(1, head.contentLength));
    if (head.encoding === "identity") return;
    const charged = door.decoders.take(head.encoding);
    if (charged === 0) {
      this.#refuseForRoom("all decoder windows (buffers.decoderBytes) are in use");
      return;
    }
    this.#decoder = new BodyDecoder(head.encoding, door.decoders, charged, {
      chunk: (bytes) => this.#decoded(bytes, false),
      end: () => {
        this.#closeDecoder();
        this.#decoded(EMPTY, true);
      },
      error: (reason) => {
        if (!this.answer.isGiven) this.#refuse(badRequest(`the body is no ${head.encoding}: ${reason}`));
      },
      drain: () => this.#encodedEnded || this.#waiting || this.#exchange.resume(),
    });
  }

  get expectedBytes(): number {
    return Math.max(this.#head.contentLength, this.#decodedBytes);
  }

  get lastByteMs(): number {
    return this.#waiting || this.#ended ? Infinity : this.#lastByteMs;
  }

  get heldSegments(): number {
    return this.#arriving?.writer.segments ?? 0;
  }

  /** A chunk of the body as it was sent. */
  onData(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.length;
    this.#lastByteMs = this.#door.clock.nowMs();
    if (this.answer.isGiven) return;
    if (this.#decoder) {
      const { maxBodyBytes } = this.#door.policy;
      if (this.#receivedBytes > maxBodyBytes + ENCODING_OVERHEAD_BYTES) {
        return this.#refuse(bodyTooLarge(maxBodyBytes));
      }
      if (!this.#decoder.write(chunk)) this.#exchange.pause();
      return;
    }
    this.isComplete = this.#receivedBytes === this.#head.contentLength;
    this.#decoded(chunk, this.isComplete);
  }

  /** The body is complete. */
  onEnd(): void {
    this.isComplete = true;
    if (this.answer.isGiven || this.#ended) return;
    if (this.#decoder) {
      if (this.#encodedEnded) return;
      this.#encodedEnded = true;
      this.#decoder.end();
      return;
    }
    this.#decoded(EMPTY, true);
  }

  /** The client is gone. Records that were accepted stay so. */
  onGone(): void {
    this.answer.abandon();
  }

  evict(): void {
    this.#refuseForRoom("an older request needed the segments that this one held");
  }

  expire(): void {
    const { policy, admission } = this.#door;
    const what = admission.sourceIsOpen ? "no segment came free" : "the control of a sink let nothing in";
    this.#refuseForRoom(
      this.isStreamed
        ? `${what} within maxStallMs ${policy.maxStallMs}`
        : `${what} within maxWaitMs ${policy.maxWaitMs}`,
    );
  }

  retry(): boolean {
    if (this.answer.isGiven) return true;
    this.#waiting = false;
    this.#proceed(this.#chunks ?? []);
    if (this.#waiting) return false;
    if (!this.answer.isGiven && !this.#ended) this.#resumeBody();
    return true;
  }

  letGo(): void {
    this.#chunks = null;
    this.#closeDecoder();
    const arriving = this.#arriving;
    this.#arriving = null;
    arriving?.writer.writer.rollback();
    if (arriving || this.#waiting) this.#door.admission.closed(this);
    this.#waiting = false;
  }

  #decoded(chunk: Uint8Array, last: boolean): void {
    if (this.answer.isGiven || this.#ended) return;
    this.#decodedBytes += chunk.length;
    this.#ended = last;
    const { maxBodyBytes } = this.#door.policy;
    if (this.#decodedBytes > maxBodyBytes) return this.#refuse(bodyTooLarge(maxBodyBytes));
    if (last && this.#chunks === null && this.#format !== "sniff") return this.#takeWhole(chunk);
    const chunks = this.#chunks ??= [];
    if (chunk.length > 0) chunks.push(chunk);
    if (!this.#waiting) this.#proceed(chunks);
    else this.#pauseBody();
  }

  /** Reads what is here as far as there are segments. */
  #proceed(chunks: Uint8Array[]): void {
    if (this.#format === "sniff" && !this.#sniff(chunks)) return;
    if (this.#arriving === null && this.#ended && chunks.length <= 1) this.#takeWhole(chunks[0] ?? EMPTY);
    else this.#takePieces(chunks);
  }

  /** Blanks before the first byte are few, or the body is refused by its size; they are kept until the format is known. */
  #sniff(chunks: readonly Uint8Array[]): boolean {
    const format = sniff(chunks);
    if (format === null && !this.#ended && this.#decodedBytes < 65_536) return false;
    this.#format = format ?? "lines";
    return true;
  }

  #takeWhole(chunk: Uint8Array): void {
    const { admission } = this.#door;
    if (!admission.mayTake(this)) return this.#waitWith(chunk);
    const { partition } = admission;
    const framer = this.#beginFramer(
      this.#door.wholeFramer(this.#format),
      partition.begin(this.#recordMeta()),
    );
    const end = framer.push(chunk, 0, chunk.length, true);
    if (framer.failure) {
      partition.rollback();
      return this.#refuse(unreadable(framer.failure));
    }
    if (end < chunk.length || !framer.done) {
      const neverFits = admission.neverFits(framer.writer.segments.length);
      partition.rollback();
      return neverFits ? this.#overMemory() : this.#waitWith(chunk);
    }
    const { records, bytes } = framer.writer;
    if (records === 0) {
      partition.rollback();
      return this.#nothingAcceptable(framer);
    }
    if (!this.#quotaAllows(records, bytes)) {
      partition.rollback();
      return;
    }
    this.#chunks = null;
    this.answer.consumed(framer);
    this.answer.committed(partition.commit(this.answer.counter()));
    this.answer.taken();
  }

  #takePieces(chunks: Uint8Array[]): void {
    const arriving = this.#arriving ??= this.#open();
    switch (arriving.frame(chunks, this.#ended)) {
      case "all":
        this.isStreamed ||= this.#decodedBytes > WHOLE_BYTES;
        if (this.isStreamed) this.#handOver(arriving, false);
        return;
      case "stalled":
        this.isStreamed ||= this.#isLong;
        if (!this.isStreamed || this.#handOver(arriving, false)) this.#stall(arriving);
        return;
      case "failed":
        if (this.isStreamed) this.#handOver(arriving, false);
        return this.#refuse(unreadable(arriving.framer.failure!));
      case "complete":
        if (this.answer.accepted + arriving.framer.writer.records === 0) {
          return this.#nothingAcceptable(arriving.framer);
        }
        if (this.#handOver(arriving, true)) this.answer.taken();
    }
  }

  /** Segments of its own from now on. */
  #open(): ArrivingBody {
    const { admission } = this.#door;
    const take = () => admission.take(this, writer.writer.inRecord);
    const writer: BodyWriter = admission.partition.bodyWriter(take, this.#recordMeta());
    const framer = this.#beginFramer(this.#door.newFramer(this.#format), writer.writer);
    admission.opened(this);
    return new ArrivingBody(framer, writer);
  }

  /** Hands over what is complete. False when the quota does not allow it now: the request was refused. */
  #handOver(arriving: ArrivingBody, last: boolean): boolean {
    const { admission } = this.#door;
    const { records, bytes } = arriving.framer.writer;
    if (records > 0 && !this.#quotaAllows(records, bytes)) return false;
    this.answer.consumed(arriving.framer);
    this.answer.committed(admission.partition.handOver(arriving.writer, this.answer.counter(), last));
    if (last) {
      this.#arriving = null;
      admission.closed(this);
    }
    return true;
  }

  /** Whether the body is known to be longer than one that is taken whole. */
  get #isLong(): boolean {
    const { contentLength, encoding } = this.#head;
    return this.#decodedBytes > WHOLE_BYTES || (contentLength > WHOLE_BYTES && encoding === "identity");
  }

  #stall(arriving: ArrivingBody): void {
    if (!this.isStreamed && this.#door.admission.neverFits(this.heldSegments)) return this.#overMemory();
    const hasMoved = arriving.stalled();
    this.#wait(this.isStreamed && hasMoved);
  }

  #waitWith(chunk: Uint8Array): void {
    this.#chunks ??= [chunk];
    this.#wait(false);
  }

  /** Waits for a segment, `anew` from now also if it does so already. */
  #wait(anew: boolean): void {
    const { admission, policy } = this.#door;
    this.#waiting = true;
    this.#pauseBody();
    if (admission.wait(this, this.isStreamed ? policy.maxStallMs : policy.maxWaitMs, anew)) return;
    this.#waiting = false;
    this.#refuseForRoom(`${admission.waiters} requests wait for segments already (maxWaiters)`);
  }

  #pauseBody(): void {
    this.#decoder?.pause();
    this.#exchange.pause();
  }

  #resumeBody(): void {
    this.#decoder?.resume();
    this.#exchange.resume();
  }

  #quotaAllows(records: number, bytes: number): boolean {
    const { admission, clock } = this.#door;
    const { quota } = admission;
    if (quota === null || quota.take(records, bytes, clock.nowMs())) return true;
    this.#refuse(
      quota.fits(records, bytes)
        ? quotaUsedUp(admission.quotaRetryAfterSeconds(records, bytes))
        : overBurst(records, bytes, quota),
    );
    return false;
  }

  #nothingAcceptable(framer: Framer): void {
    this.answer.consumed(framer);
    this.#refuse(nothingAcceptable(framer));
  }

  #overMemory(): void {
    this.#refuse(overMemory(this.#door.admission.partition.pool.size));
  }

  #refuseForRoom(why: string): void {
    const { admission, clock } = this.#door;
    const seconds = admission.retryAfterSeconds(this.expectedBytes, this.promised);
    this.#exchange.keepRank(this.age, clock.nowMs() + seconds * 1000 - EARLY_MS);
    this.#refuse(noRoom(admission.sourceIsOpen ? "no-buffers" : "sink-behind", why, seconds));
  }

  #refuse(refusal: Refusal): void {
    this.answer.refuse(refusal);
  }

  #closeDecoder(): void {
    this.#decoder?.close();
    this.#decoder = null;
  }

  #beginFramer(framer: Framer, writer: RecordWriter): Framer {
    const { key } = this.#recordMeta();
    const flags = slotFlags(this.#head, this.#format, key);
    framer.begin(writer, key.length > 0 ? hashKey(key, 0, key.length) : -1, flags);
    return framer;
  }

  #recordMeta(): RecordMeta {
    return this.#meta ??= this.#head.shared ?? this.#door.admission.partition.plainMeta();
  }
}
