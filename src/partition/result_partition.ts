/**
 * The output of one stream: records of many requests are appended to one open segment, cut into buffers, and every
 * buffer is queued for every lane, by reference.
 *
 * A buffer is cut when its segment is full, when a lane has nothing to do (at the end of this turn of the event loop,
 * which hands over up to a thousand requests at once), or after `FLUSH_MS`. So a lone record waits for nobody, and
 * under load a buffer is a whole segment.
 *
 * Flink stops the whole task when one subpartition reaches its limit, because it cannot drop. Here the lane decides:
 * `block` makes the stream's pool unavailable, as Flink does; `shed` leaves that lane out, and says so.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import type { Clock } from "../core/clock.ts";
import { META_WORDS, plainMeta, type RecordMeta, SLOT_BYTES } from "../core/record.ts";
import type { LocalBufferPool } from "../buffer/local_buffer_pool.ts";
import type { AckCounter } from "./acks.ts";
import { BodyWriter } from "./body_writer.ts";
import { FlushSchedule } from "./flush_schedule.ts";
import type { PartitionLane } from "./partition_lane.ts";
import { RecordWriter, type SegmentSource } from "./record_writer.ts";
import { cutBuffer, cutBuffers, Spans, type StreamBuffer } from "./stream_buffer.ts";

export { BodyWriter } from "./body_writer.ts";
export { FLUSH_MS } from "./flush_schedule.ts";
export { PartitionLane } from "./partition_lane.ts";
export type { StreamBuffer } from "./stream_buffer.ts";

/** Most lanes of a stream: they are the bits of one word, its sign left out. */
export const MAX_LANES = 31;

/** What a commit did. */
export interface Committed {
  /** Records taken. */
  readonly records: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Bit `k` is set where lane `k` was left out. */
  readonly shedMask: number;
}

/** Bytes of a plain meta, its alignment and the LF behind the value. */
const ROOM_FOR_META = META_WORDS * 4 + 4;

/** The stream's end of its lanes. */
export class ResultPartition {
  /** Name of the stream. */
  readonly stream: string;
  /** The stream's share of memory. */
  readonly pool: LocalBufferPool;
  /** Its lanes. */
  readonly lanes: readonly PartitionLane[];
  /** Limit of the tightest lane, in buffers. */
  readonly maxBuffers: number;
  /** Records committed since the start. */
  acceptedRecords = 0;
  /** Their bytes. */
  acceptedBytes = 0;
  readonly #clock: Clock;
  readonly #notify: (lane: number) => void;
  readonly #open: RecordWriter;
  readonly #flushSchedule: FlushSchedule;
  /** First slot of the open segment that no buffer covers. */
  #from = 0;
  /** Whose the records from there on are. */
  #spans = new Spans();
  /** Clock time of the first of them. */
  #sinceMs = 0;
  /** Lanes that they are not for. */
  #openShedMask = 0;
  #markSlots = 0;
  #meta: RecordMeta = plainMeta(0);
  #bodies = 0;

  /** `lanes` are in the order of their numbers, those of one sink side by side; `notify` tells the sender that lane `n` may have data. */
  constructor(options: {
    stream: string;
    pool: LocalBufferPool;
    lanes: readonly PartitionLane[];
    clock: Clock;
    notify: (lane: number) => void;
  }) {
    assert(options.lanes.length <= MAX_LANES, `a stream has at most ${MAX_LANES} lanes`);
    this.stream = options.stream;
    this.pool = options.pool;
    this.lanes = options.lanes;
    this.maxBuffers = Math.min(...options.lanes.map((lane) => lane.maxBuffers));
    this.#clock = options.clock;
    this.#notify = options.notify;
    this.#open = new RecordWriter(() => this.pool.tryRequest(), this.pool.segmentBytes);
    this.#flushSchedule = new FlushSchedule(options.clock, () => this.flush());
  }

  /** Records that are accepted and in no buffer yet, as lane `lane` sees it: those that it was left out of do not count. */
  openRecords(lane: number): number {
    return this.#openShedMask & (1 << lane) ? 0 : this.#openCount;
  }

  /** Buffers that the fullest lane which blocks still takes; Infinity when none blocks. */
  roomBuffers(): number {
    let room = Infinity;
    for (const lane of this.lanes) if (!lane.sheds) room = Math.min(room, lane.maxBuffers - lane.held);
    return room;
  }

  /** Whether a record of `bytes` could be taken now: no lane that blocks is full, and there is a segment, or room in the open one. */
  hasRoomFor(bytes: number): boolean {
    if (this.pool.isAvailable) return true;
    const open = this.#open.open;
    if (
      open === null || open.bytes.length - open.fill - (open.slots + 1) * SLOT_BYTES < bytes + ROOM_FOR_META
    ) return false;
    return this.lanes.every((lane) => lane.sheds || !lane.full);
  }

  /** The meta of records that share nothing but this moment; the same object within one millisecond, so that it is stored once. */
  plainMeta(): RecordMeta {
    const now = this.#clock.wallMs();
    if (this.#meta.acceptedAtMs !== now) this.#meta = plainMeta(now);
    return this.#meta;
  }

  /** Lanes that would be left out now, as bits: all lanes of a sink that sheds and has a full one. */
  shedMask(): number {
    let mask = 0;
    for (const lane of this.lanes) if (lane.sheds && lane.full) mask |= this.#lanesOf(lane.sink);
    return mask;
  }

  /** Sinks that an ack waits for when the lanes in `shedMask` are left out; a sink with several writers counts once. */
  ackSinks(shedMask: number): number {
    let sinks = 0;
    let last = "";
    for (const lane of this.lanes) {
      if (!lane.acks || shedMask & (1 << lane.lane) || lane.sink === last) continue;
      last = lane.sink;
      sinks++;
    }
    return sinks;
  }

  /** The open writer, for a body that is here whole. Must be followed by `commit` or `rollback` in the same turn. */
  begin(meta: RecordMeta): RecordWriter {
    this.#open.mark(meta);
    const open = this.#open.open;
    this.#markSlots = open === null ? 0 : open.slots;
    return this.#open;
  }

  /** Takes back what was written since `begin`. */
  rollback(): void {
    this.#open.rollback();
  }

  /** Queues what was written since `begin`, one record or more; `counter` is told how many deliveries to expect. */
  commit(counter: AckCounter | null): Committed {
    const writer = this.#open;
    assert(!writer.inRecord && writer.records > 0, "whole records are committed, at least one");
    writer.flushCopies();
    const { records, bytes } = writer;
    const shedMask = this.#accept(records, bytes, counter);
    let cut = false;
    if (shedMask !== this.#openShedMask) {
      // What is open was accepted for other lanes: it ends here.
      cut = this.#cutOpen(this.#markSlots);
      this.#openShedMask = shedMask;
    }
    if (this.#spans.empty) this.#sinceMs = this.#clock.nowMs();
    if (writer.segments.length > 1) {
      this.#cutFilled(counter);
      cut = true;
    } else {
      this.#spans.add(counter, writer.open!.slots);
    }
    if (cut) this.#tellLanes();
    if (this.#openCount > 0) this.#flushSchedule.arm(this.#anyLaneIdle());
    return { records, bytes, shedMask };
  }

  /** A writer for a body that has not arrived whole; `take` gives its segments. */
  bodyWriter(take: SegmentSource, meta: RecordMeta): BodyWriter {
    const writer = new RecordWriter(take, this.pool.segmentBytes, ++this.#bodies);
    writer.mark(meta);
    return new BodyWriter(writer, this.#clock.nowMs());
  }

  /**
   * Queues the ended records of `body` and keeps its open segment for more. With `last`, the body is complete: its last
   * segment becomes the stream's open one when that has less room.
   */
  handOver(body: BodyWriter, counter: AckCounter | null, last: boolean): Committed {
    const writer = body.writer;
    assert(!last || !writer.inRecord, "a body ends between records");
    writer.flushCopies();
    const { records, bytes } = writer;
    if (records === 0 && !last) return { records, bytes, shedMask: 0 };
    this.flush();
    const shedMask = this.#accept(records, bytes, counter);
    for (const buffer of body.cut(counter, this.#clock.nowMs())) this.#queue(buffer, shedMask);
    if (last) this.#adoptOrRelease(writer);
    this.#tellLanes();
    return { records, bytes, shedMask };
  }

  /** Cuts the open buffer now. */
  flush(): void {
    this.#flushSchedule.flushed();
    if (this.#cutOpen(this.#from + this.#openCount)) this.#tellLanes();
  }

  /** Flushes, and lets go of the open segment. */
  close(): void {
    this.flush();
    this.#from = 0;
    this.#open.detach()?.release();
  }

  get #openCount(): number {
    const open = this.#open.open;
    return open === null ? 0 : open.slots - this.#from;
  }

  #lanesOf(sink: string): number {
    let mask = 0;
    for (const lane of this.lanes) if (lane.sink === sink) mask |= 1 << lane.lane;
    return mask;
  }

  /** Records that a body of `bytes` holds, if they are as long as those that were accepted; at least 1. */
  recordsIn(bytes: number): number {
    return this.acceptedBytes === 0
      ? 1
      : Math.max(1, Math.round(bytes * this.acceptedRecords / this.acceptedBytes));
  }

  /** Counts the records, and those that lanes are left out of. Returns the mask of these. */
  #accept(records: number, bytes: number, counter: AckCounter | null): number {
    const shedMask = this.shedMask();
    this.acceptedRecords += records;
    this.acceptedBytes += bytes;
    if (shedMask !== 0) {
      let last = "";
      for (const lane of this.lanes) {
        if (shedMask & (1 << lane.lane) && lane.sink !== last) lane.shedRecords += records;
        last = lane.sink;
      }
    }
    counter?.expect(records * this.ackSinks(shedMask));
    return shedMask;
  }

  /** A request ran over the end of the open segment: everything up to the new open one is cut. */
  #cutFilled(counter: AckCounter | null): void {
    const writer = this.#open;
    const { segments, continued } = writer;
    const last = segments.length - 1;
    const open = segments[last];
    if (segments[0].slots > this.#markSlots) this.#spans.add(counter, segments[0].slots);
    // A record that runs over into the new open segment must find the rest of it: that one is cut too.
    const count = continued[last] ? last + 1 : last;
    const nowMs = this.#clock.nowMs();
    const buffers = cutBuffers({
      segments,
      continued,
      count,
      firstSlot: this.#from,
      firstSpans: this.#spans,
      firstAcceptedAtMs: this.#sinceMs,
      counter,
      acceptedAtMs: nowMs,
    });
    writer.handedOver(last + 1);
    this.#from = count > last ? open.slots : 0;
    this.#spans = new Spans();
    this.#sinceMs = nowMs;
    if (open.slots > this.#from) this.#spans.add(counter, open.slots);
    for (const buffer of buffers) this.#queue(buffer, this.#openShedMask);
  }

  /** Cuts the open records before `endSlot`; false when there are none. */
  #cutOpen(endSlot: number): boolean {
    if (this.#from === endSlot) return false;
    const segment = this.#open.segments[0];
    const buffer = cutBuffer(segment, this.#from, endSlot, this.#spans, this.#sinceMs);
    this.#from = endSlot;
    this.#spans = new Spans();
    this.#queue(buffer, this.#openShedMask);
    return true;
  }

  /** Queues `buffer` for every lane that is not left out, then drops the hold of its maker. */
  #queue(buffer: StreamBuffer, shedMask: number): void {
    for (const lane of this.lanes) {
      if (shedMask & (1 << lane.lane)) continue;
      buffer.retain();
      lane.charge(buffer);
      lane.queue.add(buffer);
    }
    buffer.release();
  }

  /** Told only when everything here is as it should be: a lane may settle at once and call back. */
  #tellLanes(): void {
    for (const lane of this.lanes) this.#notify(lane.lane);
  }

  /** Of two half-filled segments the roomier one stays open, so that little of either is wasted. */
  #adoptOrRelease(writer: RecordWriter): void {
    assert(this.#openCount === 0, "what is open is flushed before another segment takes its place");
    const own = writer.detach();
    if (own === null) return;
    const open = this.#open.open;
    if (open !== null && open.bytes.length - open.fill >= own.bytes.length - own.fill) {
      own.release();
      return;
    }
    this.#open.detach()?.release();
    this.#open.adopt(own);
    this.#from = own.slots;
  }

  #anyLaneIdle(): boolean {
    for (const lane of this.lanes) if (lane.held === 0) return true;
    return false;
  }
}
