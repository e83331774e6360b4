/**
 * Writes records into segments, front and back of the slotted page (`../core/record.ts`).
 *
 * Two paths, because they cost differently. `addRecord` takes a record that is whole in the source: it only writes the
 * slot, and copies later, one copy for all records that stand side by side in the source (`deferred_copy.ts`).
 * `startRecord` … `endRecord` takes a record in pieces, as they arrive, over as many segments as it needs.
 *
 * Everything since the last `mark` can be taken back: a body that is refused leaves nothing behind.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import {
  hashKey,
  metaBytes,
  type RecordMeta,
  SLOT_BYTES,
  SLOT_WORDS,
  SlotFlag,
  SlotWord,
  writeMeta,
} from "../core/record.ts";
import type { Segment } from "../buffer/segment.ts";
import { DeferredCopy } from "./deferred_copy.ts";
import { SegmentList, type SegmentSource } from "./segment_list.ts";

export type { SegmentSource } from "./segment_list.ts";

/** A record up to this share of a segment starts a new one rather than span two: reading one piece is cheaper, and little is wasted. */
const SPAN_SHARE = 8;

/** Spreads records without key over lanes and shards; the golden ratio's bits, as in Fibonacci hashing (Knuth, TAOCP 6.4). */
const SPREAD = 0x9e3779b1;

const LF = 10;

/** A writer over a growing list of segments, each of which it holds once. */
export class RecordWriter {
  /** Records ended since the mark, or since the last hand-over. */
  records = 0;
  /** Value bytes of those. */
  bytes = 0;

  readonly #list: SegmentList;
  readonly #segmentBytes: number;
  readonly #copy = new DeferredCopy();
  #meta: RecordMeta | null = null;
  /** Where `#meta` stands in the open segment, or -1. */
  #metaOffset = -1;
  #spread: number;

  // The record in progress.
  #inRecord = false;
  #recordSegment: Segment | null = null;
  #recordOffset = 0;
  #recordLength = 0;
  #recordMetaOffset = -1;
  /** Segments up to the one that the record began in. */
  #recordSegments = 0;
  /** How much of `LF + key` behind the value is written. */
  #tail = 0;
  #fillBefore = 0;
  #metaOffsetBefore = -1;

  #markSegments = 0;
  #markFill = 0;
  #markSlots = 0;
  #markMeta: RecordMeta | null = null;
  #markMetaOffset = -1;

  /** `take` gives the next segment, of `segmentBytes` bytes. Writers of one stream differ by `turn`, so that bodies of one record each go to different lanes. */
  constructor(take: SegmentSource, segmentBytes: number, turn = 0) {
    this.#list = new SegmentList(take);
    this.#segmentBytes = segmentBytes;
    this.#spread = Math.imul(turn, SPREAD) >>> 0;
  }

  /** Whether a record was started and not ended. */
  get inRecord(): boolean {
    return this.#inRecord;
  }

  /** Bytes of the record in progress so far. */
  get recordLength(): number {
    return this.#recordLength;
  }

  /** Segments written to, in order; the last one is open. */
  get segments(): readonly Segment[] {
    return this.#list.segments;
  }

  /** Whether segment `k` begins with bytes of a record whose slot stands earlier, and was not handed over. */
  get continued(): readonly boolean[] {
    return this.#list.continued;
  }

  /** The open segment. */
  get open(): Segment | null {
    return this.#list.open;
  }

  /** Segments that hold ended records only: all, or those up to where the record in progress began. */
  get endedSegments(): number {
    return this.#inRecord ? this.#recordSegments : this.#list.length;
  }

  /** Goes on in `segment`, whose hold it takes over. Its earlier records stay as they are. */
  adopt(segment: Segment): void {
    this.#list.adopt(segment);
    this.useMeta(null);
  }

  /** Remembers this place for `rollback` and starts counting records anew; those that follow share `meta`. */
  mark(meta: RecordMeta): void {
    assert(!this.#inRecord && !this.#copy.owed, "a mark is set between records");
    const open = this.#list.open;
    this.records = 0;
    this.bytes = 0;
    this.#markSegments = this.#list.length;
    this.#markFill = open === null ? 0 : open.fill;
    this.#markSlots = open === null ? 0 : open.slots;
    this.#markMeta = this.#meta;
    this.#markMetaOffset = this.#metaOffset;
    if (meta !== this.#meta) this.useMeta(meta);
  }

  /** From here on records carry `meta`. */
  useMeta(meta: RecordMeta | null): void {
    assert(!this.#inRecord, "a meta changes between records");
    this.#meta = meta;
    this.#metaOffset = -1;
  }

  /** Takes back everything since the mark; behind a hand-over, everything that was not handed over. */
  rollback(): void {
    this.#copy.drop();
    this.#leaveRecord();
    this.#list.truncate(this.#markSegments);
    const open = this.#list.open;
    if (open !== null) {
      open.fill = this.#markFill;
      open.slots = this.#markSlots;
    }
    this.#meta = this.#markMeta;
    this.#metaOffset = this.#markMetaOffset;
    this.records = 0;
    this.bytes = 0;
  }

  /** Does the copy that was put off. Must be called before the source changes and before the segments are read. */
  flushCopies(): void {
    if (this.#copy.owed) this.#copy.flush(this.#list.open!);
  }

  /**
   * Adds the whole record `source[from, to)`. `keyFrom` and `keyTo` are the key's place in `source`, or -1; an empty
   * key is none. `keyHash` is the hash of the key, or -1 without one. False when it does not fit the open segment and
   * a new one is not worth it or not to be had: then nothing was written.
   */
  addRecord(
    source: Uint8Array,
    from: number,
    to: number,
    flags: number,
    keyFrom: number,
    keyTo: number,
    keyHash: number,
  ): boolean {
    assert(!this.#inRecord, "one record at a time");
    const length = to - from;
    let segment = this.#list.open;
    if (segment === null || !this.#fits(segment, length)) {
      if (!this.#isWorthNewSegment(length) || !this.#nextSegment()) return false;
      segment = this.#list.open!;
    }
    this.#ensureMeta(segment);
    let offset = this.#copy.offsetOf(source, from);
    if (offset < 0 || offset + length + 1 > this.#slotsBegin(segment, 1)) {
      this.flushCopies();
      offset = segment.fill;
      this.#copy.start(source, from, offset, segment.slots);
    }
    this.#copy.extend(to);
    const words = segment.words;
    const base = words.length - (segment.slots + 1) * SLOT_WORDS;
    words[base + SlotWord.VALUE_OFFSET] = offset;
    words[base + SlotWord.VALUE_LENGTH] = length;
    if (keyTo > keyFrom) {
      words[base + SlotWord.FLAGS_AND_KEY_LENGTH] = flags | SlotFlag.KEY_INLINE | ((keyTo - keyFrom) << 16);
      words[base + SlotWord.KEY_OFFSET] = offset + (keyFrom - from);
      words[base + SlotWord.KEY_HASH] = keyHash;
    } else {
      words[base + SlotWord.FLAGS_AND_KEY_LENGTH] = flags;
      words[base + SlotWord.KEY_HASH] = this.#hashWithoutOwnKey(flags, keyHash);
    }
    words[base + SlotWord.META_OFFSET] = this.#metaOffset;
    segment.slots++;
    segment.fill = offset + length + 1;
    this.records++;
    this.bytes += length;
    return true;
  }

  /** Whether a whole record of `length` bytes fits the open segment. */
  fits(length: number): boolean {
    const open = this.#list.open;
    return open !== null && this.#fits(open, length);
  }

  /** Begins a record in pieces. False when there is no segment for it now. */
  startRecord(): boolean {
    assert(!this.#inRecord, "one record at a time");
    this.flushCopies();
    let segment = this.#list.open;
    if (segment === null || !this.#fits(segment, 0)) {
      if (!this.#nextSegment()) return false;
      segment = this.#list.open!;
    }
    this.#fillBefore = segment.fill;
    this.#metaOffsetBefore = this.#metaOffset;
    this.#ensureMeta(segment);
    this.#recordMetaOffset = this.#metaOffset;
    this.#inRecord = true;
    this.#recordSegment = segment;
    this.#recordOffset = segment.fill;
    this.#recordLength = 0;
    this.#recordSegments = this.#list.length;
    this.#tail = 0;
    return true;
  }

  /** Bytes that `append` can take now; takes a segment when the open one is full. 0 when there is none. */
  room(): number {
    assert(this.#inRecord, "room is asked for by a record in progress");
    const room = this.#roomLeft();
    if (room > 0) return room;
    return this.#list.grow(true) ? this.#roomLeft() : 0;
  }

  /** Appends `source[from, to)` to the record in progress; at most `room()` bytes. */
  append(source: Uint8Array, from: number, to: number): void {
    assert(to - from <= this.#roomLeft(), "a piece fits the room that was asked for");
    this.#put(source, from, to);
    this.#recordLength += to - from;
  }

  /**
   * Ends the record in progress. `key[0, keyLength)` is stored behind it; `keyLength` 0 is no key of its own, then
   * `keyHash` is the hash of a shared key, or -1. False when there is no segment for the last bytes: call again, with
   * the same, when there is.
   */
  endRecord(flags: number, key: Uint8Array, keyLength: number, keyHash: number): boolean {
    assert(this.#inRecord, "a record is ended once");
    while (this.#tail < 1 + keyLength) {
      const room = this.room();
      if (room === 0) return false;
      if (this.#tail === 0) {
        const open = this.#list.open!;
        open.bytes[open.fill++] = LF;
        this.#tail = 1;
      } else {
        const to = Math.min(keyLength, this.#tail - 1 + room);
        this.#put(key, this.#tail - 1, to);
        this.#tail = 1 + to;
      }
    }
    const segment = this.#recordSegment!;
    const spans = segment !== this.#list.open;
    const words = segment.words;
    const base = words.length - (segment.slots + 1) * SLOT_WORDS;
    words[base + SlotWord.VALUE_OFFSET] = this.#recordOffset;
    words[base + SlotWord.VALUE_LENGTH] = this.#recordLength;
    words[base + SlotWord.FLAGS_AND_KEY_LENGTH] = flags | (spans ? SlotFlag.SPANS : 0) |
      (keyLength > 0 ? SlotFlag.KEY_AFTER | (keyLength << 16) : 0);
    words[base + SlotWord.KEY_HASH] = keyLength > 0
      ? hashKey(key, 0, keyLength)
      : this.#hashWithoutOwnKey(flags, keyHash);
    words[base + SlotWord.META_OFFSET] = this.#recordMetaOffset;
    segment.slots++;
    if (spans) this.#metaOffset = -1;
    this.#leaveRecord();
    this.records++;
    this.bytes += this.#recordLength;
    return true;
  }

  /** Takes back the record in progress; the segments that it ran on into go home. */
  abortRecord(): void {
    assert(this.#inRecord, "a record that is taken back was begun");
    this.#list.truncate(this.#recordSegments);
    this.#recordSegment!.fill = this.#fillBefore;
    this.#metaOffset = this.#metaOffsetBefore;
    this.#leaveRecord();
  }

  /** The first `count` segments were handed over, as far as their records were ended: all but the last of them are let go of. */
  handedOver(count: number): void {
    assert(!this.#copy.owed, "segments are handed over when everything is copied");
    if (count > 0) {
      this.#list.dropFirst(count - 1);
      this.#recordSegments -= count - 1;
    }
    this.#markSegments = 0;
    this.records = 0;
    this.bytes = 0;
  }

  /** Gives the hold of its one segment to the caller; null when it has none. The writer is as new. */
  detach(): Segment | null {
    assert(!this.#inRecord && !this.#copy.owed, "a segment is detached between records");
    this.#markSegments = 0;
    this.useMeta(null);
    return this.#list.detach();
  }

  /** First byte that belongs to slots when there are `more` of them. */
  #slotsBegin(segment: Segment, more: number): number {
    return segment.bytes.length - (segment.slots + more) * SLOT_BYTES;
  }

  /** Bytes of the open segment that the record in progress may still take; its slot is kept free where it began. */
  #roomLeft(): number {
    const open = this.#list.open!;
    return this.#slotsBegin(open, open === this.#recordSegment ? 1 : 0) - open.fill;
  }

  /** Whether a value of `length` bytes, its LF, its slot and, where missing, the meta fit `segment`. */
  #fits(segment: Segment, length: number): boolean {
    const begin = this.#metaOffset < 0 ? aligned(segment.fill) + metaBytes(this.#meta!) : segment.fill;
    return begin + length + 1 <= this.#slotsBegin(segment, 1);
  }

  #isWorthNewSegment(length: number): boolean {
    if (this.#list.open !== null && length * SPAN_SHARE > this.#segmentBytes) return false;
    return metaBytes(this.#meta!) + length + 1 + SLOT_BYTES <= this.#segmentBytes;
  }

  #nextSegment(): boolean {
    assert(
      metaBytes(this.#meta!) + 1 + SLOT_BYTES <= this.#segmentBytes,
      "what a request's records share fits one segment: ingress bounds it",
    );
    this.flushCopies();
    if (!this.#list.grow(false)) return false;
    this.#metaOffset = -1;
    return true;
  }

  #ensureMeta(segment: Segment): void {
    if (this.#metaOffset >= 0) return;
    this.flushCopies();
    this.#metaOffset = aligned(segment.fill);
    segment.fill = writeMeta(this.#meta!, segment.bytes, segment.words, this.#metaOffset);
  }

  #put(source: Uint8Array, from: number, to: number): void {
    const open = this.#list.open!;
    open.bytes.set(from === 0 && to === source.length ? source : source.subarray(from, to), open.fill);
    open.fill += to - from;
  }

  #leaveRecord(): void {
    this.#inRecord = false;
    this.#recordSegment = null;
  }

  #hashWithoutOwnKey(flags: number, sharedHash: number): number {
    if (flags & SlotFlag.KEY_SHARED) return sharedHash;
    return this.#spread = (this.#spread + SPREAD) >>> 0;
  }
}

function aligned(offset: number): number {
  return (offset + 3) & ~3;
}
