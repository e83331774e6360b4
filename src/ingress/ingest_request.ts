/**
 * One request to a stream, from its headers to its answer.
 *
 * A body that is here whole is written into the stream's open segment, all or nothing, in one turn. One that is still
 * arriving fills segments of its own; up to 1 MiB it is whole or nothing too, beyond that it is streamed: what is
 * complete is handed over as it comes, and the socket is paused while there is no segment.
 *
 * @module
 */
import { hashKey, type RecordMeta, SlotFlag } from "../core/record.ts";
import { type AdmittedBody, nextAge } from "../admission/admission.ts";
import { AckCounter, type AckOwner } from "../partition/acks.ts";
import type { BodyWriter, Committed } from "../partition/result_partition.ts";
import type { RecordWriter } from "../partition/record_writer.ts";
import type { Dated } from "./deadline_queue.ts";
import { BodyDecoder } from "./decoder.ts";
import type { Exchange } from "./exchange.ts";
import { type BodyFormat, sniff } from "./formats.ts";
import type { Framer, RejectedRecord } from "./framer.ts";
import {
  allTakenReply,
  type ProblemKind,
  problemReply,
  type Reply,
  resultReply,
  type Tally,
} from "./replies.ts";
import type { StreamDoor } from "./stream_door.ts";

/** Up to this many decoded bytes a body is taken whole or not at all. */
export const WHOLE_BYTES = 1_048_576;

/** An encoding adds a header and a few bytes per block to data that does not shrink; more is padding. */
const ENCODING_OVERHEAD_BYTES = 65_536;

/** A client may be this much early, ms: its clock and ours tick apart, and its wait began before our answer was written. */
const EARLY_MS = 100;

const EMPTY = new Uint8Array(0);

/** What the headers of a request said. */
export interface IngestHead {
  /** What the body is. */
  readonly format: BodyFormat;
  /** Content-Encoding, or "identity". */
  readonly encoding: string;
  /** Content-Length, or -1. */
  readonly contentLength: number;
  /** What its records share beside the moment, or null. */
  readonly shared: RecordMeta | null;
  /** Whether the headers make it a CloudEvent in binary mode. */
  readonly isCloudEvent: boolean;
}

/** The request. */
export class IngestRequest implements AdmittedBody, AckOwner, Dated {
  readonly age: number;
  readonly promised: boolean;
  dueMs = 0;
  previous: Dated | null = null;
  next: Dated | null = null;
  readonly #door: StreamDoor;
  readonly #exchange: Exchange;
  readonly #head: IngestHead;
  #format: BodyFormat;
  #framer: Framer | null = null;
  #body: BodyWriter | null = null;
  #counter: AckCounter | null = null;
  #decoder: BodyDecoder | null = null;
  #encodedEnded = false;
  #ended = false;
  #streaming = false;
  #decodedBytes = 0;
  #receivedBytes = 0;
  #lastByteMs = 0;
  /** Chunks that wait for a segment; the first from `#chunkAt` on. */
  #chunks: Uint8Array[] = [];
  #chunkAt = 0;
  /** Decoded bytes in the chunks before. */
  #framedBytes = 0;
  /** Decoded byte at which no segment was found. */
  #stalledAt = -1;
  #waiting = false;
  #answered = false;
  /** Every record is taken; only the outcome is waited for. */
  #taken = false;
  #bodyComplete = false;
  #records = 0;
  #shed: Record<string, number> | null = null;
  #meta: RecordMeta | null = null;
  /** Index of the first record not consumed. */
  #next = 0;
  #rejectedCount = 0;
  #rejected: readonly RejectedRecord[] = [];

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
    door.active.add(this);
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
      error: (reason) => this.#bad(`the body is no ${head.encoding}: ${reason}`),
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
    return this.#body?.segments ?? 0;
  }

  get reads(): boolean {
    return !this.#answered && !this.#taken;
  }

  /** A chunk of the body as it was sent. */
  onData(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.length;
    this.#lastByteMs = this.#door.clock.nowMs();
    if (this.#answered) return;
    if (this.#decoder) {
      if (this.#receivedBytes > this.#door.policy.maxBodyBytes + ENCODING_OVERHEAD_BYTES) {
        return this.#tooLargeBody();
      }
      if (!this.#decoder.write(chunk)) this.#exchange.pause();
      return;
    }
    this.#bodyComplete = this.#receivedBytes === this.#head.contentLength;
    this.#decoded(chunk, this.#bodyComplete);
  }

  /** The body is complete. */
  onEnd(): void {
    this.#bodyComplete = true;
    if (this.#answered || this.#ended) return;
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
    this.#counter?.abandon();
    this.#letGo();
    this.#answered = true;
    this.#door.deliveries.remove(this);
    this.#door.active.delete(this);
    this.#door.readingEnded();
  }

  /** The gateway stops: a request that waits for delivery is told so. */
  stop(): void {
    if (this.#answered) return;
    this.#counter?.abandon();
    this.#problem(
      "stopped",
      503,
      "the gateway stopped before the outcome was known; accepted records may still arrive",
      [
        "Retry-After",
        "1",
      ],
    );
  }

  evict(): void {
    this.#refuseForRoom("an older request needed the segments that this one held");
  }

  expire(): void {
    const { policy, admission } = this.#door;
    const what = admission.sourceIsOpen ? "no segment came free" : "the control of a sink let nothing in";
    this.#refuseForRoom(
      this.#streaming
        ? `${what} within maxStallMs ${policy.maxStallMs}`
        : `${what} within maxWaitMs ${policy.maxWaitMs}`,
    );
  }

  retry(): boolean {
    if (this.#answered) return true;
    this.#waiting = false;
    this.#proceed();
    if (this.#waiting) return false;
    if (!this.#answered && !this.#ended) this.#resumeBody();
    return true;
  }

  allSettled(): void {
    this.#answerTaken(200);
  }

  #answerTaken(status: 200 | 202): void {
    const plain = this.#rejectedCount === 0 && this.#shed === null && this.#next === this.#records &&
      (this.#counter === null || this.#counter.deadLettered === 0);
    this.#answer(plain ? allTakenReply(status, this.#records) : resultReply(status, this.#tally()));
  }

  late(): void {
    this.#counter?.abandon();
    this.#problem(
      "not-delivered-in-time",
      504,
      `no outcome within deliverTimeoutMs ${this.#door.policy.deliverTimeoutMs}; the accepted records stay accepted and may still arrive`,
    );
  }

  #decoded(chunk: Uint8Array, last: boolean): void {
    if (this.#answered || this.#ended) return;
    this.#decodedBytes += chunk.length;
    this.#ended = last;
    if (this.#decodedBytes > this.#door.policy.maxBodyBytes) return this.#tooLargeBody();
    if (chunk.length > 0) this.#chunks.push(chunk);
    if (!this.#waiting) this.#proceed();
    else this.#pauseBody();
  }

  /** Reads what is here as far as there are segments. */
  #proceed(): void {
    if (this.#format === "sniff" && !this.#sniff()) return;
    if (this.#body === null && this.#ended && this.#chunks.length <= 1) {
      this.#takeWhole(this.#chunks[0] ?? EMPTY);
      return;
    }
    this.#takePieces();
  }

  /** Blanks before the first byte are few, or the body is refused by its size; they are kept until the format is known. */
  #sniff(): boolean {
    for (const chunk of this.#chunks) {
      const format = sniff(chunk);
      if (format) {
        this.#format = format;
        return true;
      }
    }
    if (!this.#ended && this.#decodedBytes < 65_536) return false;
    this.#format = "lines";
    return true;
  }

  #takeWhole(chunk: Uint8Array): void {
    const { admission } = this.#door;
    if (!admission.mayTake(this)) return this.#wait(chunk.length);
    const { partition } = admission;
    const framer = this.#beginFramer(
      this.#door.wholeFramer(this.#format),
      partition.begin(this.#recordMeta()),
    );
    const end = framer.push(chunk, 0, chunk.length, true);
    if (framer.failure) {
      partition.rollback();
      return this.#framerFailed(framer, false);
    }
    if (end < chunk.length || !framer.done) {
      const neverFits = this.#neverFits(framer.writer.segments.length);
      partition.rollback();
      return neverFits ? this.#batchTooLarge() : this.#wait(chunk.length);
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
    this.#chunks = [];
    this.#consumed(framer);
    this.#committed(partition.commit(this.#newCounter()));
    this.#finish();
  }

  #takePieces(): void {
    const { admission } = this.#door;
    if (this.#body === null) {
      const take = () => admission.take(this, this.#framer?.writer.inRecord ?? false);
      this.#body = admission.partition.bodyWriter(take, this.#recordMeta());
      this.#framer = this.#beginFramer(this.#door.newFramer(this.#format), this.#body.writer);
      admission.opened(this);
    }
    const framer = this.#framer!;
    for (;;) {
      const chunk = this.#chunks[0] ?? EMPTY;
      const last = this.#ended && this.#chunks.length <= 1;
      const end = framer.push(chunk, this.#chunkAt, chunk.length, last);
      if (this.#answered) return;
      if (framer.failure) return this.#framerFailed(framer, this.#streaming);
      if (end < chunk.length || !framer.done) {
        this.#chunkAt = end;
        framer.writer.flushCopies();
        this.#streaming ||= this.#isLong;
        if (this.#streaming && !this.#handOver(false)) return;
        return this.#stall();
      }
      framer.writer.flushCopies();
      framer.chunkConsumed(chunk.length);
      this.#framedBytes += chunk.length;
      this.#chunks.shift();
      this.#chunkAt = 0;
      if (last) break;
      if (this.#chunks.length === 0 && !this.#ended) {
        this.#streaming ||= this.#decodedBytes > WHOLE_BYTES;
        if (this.#streaming) this.#handOver(false);
        return;
      }
    }
    const records = this.#records + framer.writer.records;
    if (records === 0) return this.#nothingAcceptable(framer);
    if (this.#handOver(true)) this.#finish();
  }

  /** Hands over what is complete. False when the quota does not allow it now: the request was refused. */
  #handOver(last: boolean): boolean {
    const { records, bytes } = this.#body!.writer;
    if (records > 0 && !this.#quotaAllows(records, bytes)) return false;
    this.#consumed(this.#framer!);
    this.#committed(
      this.#door.admission.partition.handOver(this.#body!, this.#counter ?? this.#newCounter(), last),
    );
    if (last) {
      this.#body = null;
      this.#door.admission.closed(this);
    }
    return true;
  }

  /** Whether the body is known to be longer than one that is taken whole. */
  get #isLong(): boolean {
    const { contentLength, encoding } = this.#head;
    return this.#decodedBytes > WHOLE_BYTES || (contentLength > WHOLE_BYTES && encoding === "identity");
  }

  #consumed(framer: Framer): void {
    this.#next = framer.index;
    this.#rejectedCount = framer.rejectedCount;
    this.#rejected = framer.rejected;
  }

  #committed(committed: Committed): void {
    this.#records += committed.records;
    if (committed.shedMask === 0 || committed.records === 0) return;
    const shed = this.#shed ??= {};
    let last = "";
    this.#door.laneSinks.forEach((sink, lane) => {
      if (committed.shedMask & (1 << lane) && sink !== last) {
        shed[sink] = (shed[sink] ?? 0) + committed.records;
      }
      last = sink;
    });
  }

  /** The body is complete and its records are taken. */
  #finish(): void {
    const counter = this.#counter;
    if (counter === null) {
      this.#answerTaken(202);
      return;
    }
    this.#taken = true;
    this.#door.readingEnded();
    counter.seal();
    if (!this.#answered) this.#door.deliveries.add(this);
  }

  #newCounter(): AckCounter | null {
    if (this.#door.policy.ack === "memory") return null;
    return this.#counter = new AckCounter(this);
  }

  #stall(): void {
    if (!this.#streaming && this.#neverFits(this.heldSegments)) return this.#batchTooLarge();
    const at = this.#framedBytes + this.#chunkAt;
    const hasMoved = at > this.#stalledAt;
    this.#stalledAt = at;
    this.#wait(0, this.#streaming && hasMoved);
  }

  /**
   * Whether a body that holds `segments` and finds no more never will: it has all that the stream may have, but perhaps
   * for the segment that stays open between requests.
   */
  #neverFits(segments: number): boolean {
    const pool = this.#door.admission.partition.pool;
    if (segments >= pool.size + pool.maxOverdraft) return true;
    return pool.requestedSegments >= pool.size && pool.lentSegments - segments <= 1;
  }

  #batchTooLarge(): void {
    const { size } = this.#door.admission.partition.pool;
    const detail =
      `the body needs more than the ${size} segments that the stream may have; send less at once`;
    this.#problem("batch-too-large", 413, detail);
  }

  #wait(bytes: number, anew = false): void {
    const { admission, policy } = this.#door;
    this.#waiting = true;
    this.#pauseBody();
    if (admission.wait(this, this.#streaming ? policy.maxStallMs : policy.maxWaitMs, anew)) return;
    this.#waiting = false;
    this.#refuseForRoom(`${admission.waiters} requests wait for segments already (maxWaiters)`, bytes);
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
    const quota = admission.quota;
    if (quota === null) return true;
    if (quota.take(records, bytes, clock.nowMs())) return true;
    if (!quota.fits(records, bytes)) {
      this.#problem(
        "batch-too-large",
        413,
        `${records} records of ${bytes} bytes are more than the quota's burst of ${quota.maxRecords} records and ${quota.maxBytes} bytes; send less at once`,
      );
      return false;
    }
    const seconds = admission.quotaRetryAfterSeconds(records, bytes);
    this.#problem("quota-exceeded", 429, `the stream's quota is used up; try again in ${seconds} s`, [
      "Retry-After",
      String(seconds),
    ]);
    return false;
  }

  #framerFailed(framer: Framer, streamed: boolean): void {
    const failure = framer.failure!;
    if (streamed) this.#handOver(false);
    if (failure.kind === "record-too-large") return this.#problem("record-too-large", 413, failure.detail);
    this.#problem("bad-request", 400, failure.detail);
  }

  #nothingAcceptable(framer: Framer): void {
    this.#consumed(framer);
    const detail = framer.rejectedCount > 0
      ? `no record is acceptable: record ${framer.rejected[0].index}: ${framer.rejected[0].reason}`
      : "the body is empty: it holds no record";
    this.#problem("bad-request", 400, detail);
  }

  #bad(detail: string): void {
    if (!this.#answered) this.#problem("bad-request", 400, detail);
  }

  #tooLargeBody(): void {
    this.#problem("body-too-large", 413, `the body is over maxBodyBytes ${this.#door.policy.maxBodyBytes}`);
  }

  #refuseForRoom(why: string, bytes = 0): void {
    const { admission } = this.#door;
    const need = Math.max(bytes, this.expectedBytes);
    const seconds = admission.retryAfterSeconds(need, this.promised);
    this.#exchange.keepRank(this.age, this.#door.clock.nowMs() + seconds * 1000 - EARLY_MS);
    const kind = admission.sourceIsOpen ? "no-buffers" : "sink-behind";
    this.#problem(kind, 429, `${why}; try again in ${seconds} s`, ["Retry-After", String(seconds)]);
  }

  #problem(kind: ProblemKind, status: number, detail: string, headers: readonly string[] = []): void {
    this.#letGo();
    // Records handed over before stay accepted; the counter goes on without anyone waiting.
    this.#counter?.abandon();
    this.#answer(problemReply(kind, status, detail, this.#tally(), headers));
  }

  /** What was consumed for good: records beyond it were given back, and the client sends them again. */
  #tally(): Tally {
    return {
      accepted: this.#records,
      next: this.#next,
      rejectedCount: this.#rejectedCount,
      rejected: this.#rejected,
      deadLettered: this.#counter?.deadLettered ?? 0,
      shed: this.#shed,
    };
  }

  #answer(reply: Reply): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#door.deliveries.remove(this);
    this.#door.active.delete(this);
    this.#door.readingEnded();
    this.#door.answered(reply.status);
    this.#door.rejectedRecords += this.#rejectedCount;
    this.#exchange.reply(
      this.#door.withRateLimit(reply),
      this.#bodyComplete ? "complete" : "unread",
      this.#streaming && reply.status === 429,
    );
  }

  /** Gives back segments, decoder and place in the queue. */
  #letGo(): void {
    this.#chunks = [];
    this.#closeDecoder();
    const body = this.#body;
    this.#body = null;
    if (body) {
      body.writer.rollback();
    }
    if (body || this.#waiting) this.#door.admission.closed(this);
    this.#waiting = false;
  }

  #closeDecoder(): void {
    this.#decoder?.close();
    this.#decoder = null;
  }

  #beginFramer(framer: Framer, writer: RecordWriter): Framer {
    const { key } = this.#recordMeta();
    const isEvent = this.#format === "cloud-event" || this.#format === "cloud-event-batch";
    const flags = (key.length > 0 ? SlotFlag.KEY_SHARED : 0) |
      (this.#head.isCloudEvent ? SlotFlag.CLOUD_EVENT : 0) |
      (isEvent ? SlotFlag.CLOUD_EVENT_JSON : 0);
    framer.begin(writer, key.length > 0 ? hashKey(key, 0, key.length) : -1, flags);
    return framer;
  }

  #recordMeta(): RecordMeta {
    return this.#meta ??= this.#head.shared ?? this.#door.admission.partition.plainMeta();
  }
}
