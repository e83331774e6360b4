/**
 * A batch is a cursor over buffers: record `i` is found by arithmetic, and nothing is made per record.
 *
 * One 32-bit word per record says where it is (which buffer of the batch, which slot), so that a retry can hold any
 * subset of a batch, and halving one is a slice.
 *
 * @module
 */
import { copyText, holdsNewline } from "../core/bytes.ts";
import { PointerScanner } from "../core/json_pointer.ts";
import {
  cloudEventId,
  META_WORDS,
  MetaWord,
  readHeaders,
  SLOT_HAS_KEY,
  SLOT_WORDS,
  SlotFlag,
  SlotWord,
} from "../core/record.ts";
import type { Segment } from "../buffer/segment.ts";
import type { Batch } from "../sink/adapter.ts";
import { eachPart, type LaneBuffer } from "./lane_buffer.ts";
import { OwnIds } from "./own_ids.ts";

export { LaneBuffer } from "./lane_buffer.ts";

/** Most buffers in one batch: they are the high 16 bits of a position. */
export const MAX_BATCH_BUFFERS = 65_535;

/** Below it, a loop is faster than a view and a call. */
const SMALL_COPY_BYTES = 64;

/** No run: the record breaks the line, or is not stored as the sink is to have it. */
const NOT_IN_RUN = SlotFlag.NEWLINE | SlotFlag.SPANS | SlotFlag.CLOUD_EVENT;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
// The door's own reader, so that an event with two ids has the one that was checked.
const sourcePointer = new PointerScanner("/source");
const idPointer = new PointerScanner("/id");

/** Records of one lane, in order. */
export class SegmentBatch implements Batch {
  readonly stream: string;
  readonly #idPrefix: string;
  readonly #ids: OwnIds;
  /** Its buffers, ascending. */
  readonly buffers: LaneBuffer[];
  /** `buffer << 16 | slot` per record, ascending. */
  positions: Int32Array = new Int32Array(16);
  count = 0;
  bytes = 0;
  attempt = 1;
  /** Clock time at which the oldest record was accepted. */
  acceptedAtMsOldest = 0;
  /** Clock time at which its last record had come, about: from then on it could have been written as it is. */
  readyAtMs = 0;
  /** How full it was when it was formed, 0 to 1; 1 where more waited than it could take. */
  fill = 1;
  /** Which batch of its lane it is, or is a part of, in the order in which they were formed. */
  sequence = 0;
  /** Clock time before which a retry does not start. */
  dueMs = 0;
  /** Whether any record has a key. */
  keyed = false;
  /** Bytes of its body at the sink; -1 where nobody has asked yet. */
  encodedBytes = -1;
  #headers: readonly (readonly [string, string])[] = [];
  #headersOf: Segment | null = null;
  #headersAt = -1;

  /** An empty batch of `stream`, over `buffers`; `idPrefix` begins every record id of this gateway's life. */
  constructor(stream: string, idPrefix: string, buffers: LaneBuffer[] = []) {
    this.stream = stream;
    this.#idPrefix = idPrefix;
    this.#ids = new OwnIds(idPrefix);
    this.buffers = buffers;
  }

  /** Appends the record at `slot` of the batch's last buffer. */
  push(slot: number, length: number): void {
    if (this.count === this.positions.length) {
      const grown = new Int32Array(this.count * 4);
      grown.set(this.positions);
      this.positions = grown;
    }
    this.positions[this.count++] = ((this.buffers.length - 1) << 16) | slot;
    this.bytes += length;
  }

  /** A batch of records `from` to `to - 1` of this one. */
  slice(from: number, to: number): SegmentBatch {
    const part = new SegmentBatch(this.stream, this.#idPrefix, this.buffers);
    part.positions = this.positions.slice(from, to);
    part.count = to - from;
    part.attempt = this.attempt;
    part.sequence = this.sequence;
    part.keyed = this.keyed;
    part.acceptedAtMsOldest = this.acceptedAtMsOldest;
    part.readyAtMs = this.readyAtMs;
    part.fill = this.fill;
    for (let i = 0; i < part.count; i++) part.bytes += part.valueLength(i);
    return part;
  }

  /** Keeps only the records whose outcome is `outcome`. */
  keep(outcomes: Uint8Array, outcome: number): void {
    let kept = 0;
    let bytes = 0;
    for (let i = 0; i < this.count; i++) {
      if (outcomes[i] !== outcome) continue;
      bytes += this.valueLength(i);
      this.positions[kept++] = this.positions[i];
    }
    this.count = kept;
    this.bytes = bytes;
    this.encodedBytes = -1;
  }

  /** The lane's buffer of record `i`. */
  laneBuffer(i: number): LaneBuffer {
    return this.buffers[this.positions[i] >>> 16];
  }

  /** The slot of record `i` in its segment. */
  slot(i: number): number {
    return this.positions[i] & 0xffff;
  }

  valueLength(i: number): number {
    return this.#word(i, SlotWord.VALUE_LENGTH);
  }

  value(i: number): Uint8Array {
    const segment = this.#segment(i);
    const offset = this.#word(i, SlotWord.VALUE_OFFSET);
    const length = this.#word(i, SlotWord.VALUE_LENGTH);
    if (!(this.#flags(i) & SlotFlag.SPANS)) return segment.bytes.subarray(offset, offset + length);
    const copy = new Uint8Array(length);
    this.#copyRun(i, 0, length, copy, 0);
    return copy;
  }

  copyValue(i: number, target: Uint8Array, offset: number): number {
    const position = this.positions[i];
    const { words, bytes } = this.buffers[position >>> 16].buffer.segment;
    const base = words.length - ((position & 0xffff) + 1) * SLOT_WORDS;
    const length = words[base + SlotWord.VALUE_LENGTH];
    if (words[base + SlotWord.FLAGS_AND_KEY_LENGTH] & SlotFlag.SPANS) {
      this.#copyRun(i, 0, length, target, offset);
      return length;
    }
    const from = words[base + SlotWord.VALUE_OFFSET];
    if (length > SMALL_COPY_BYTES) target.set(bytes.subarray(from, from + length), offset);
    else for (let k = 0; k < length; k++) target[offset + k] = bytes[from + k];
    return length;
  }

  valueParts(i: number): Uint8Array[] {
    const length = this.#word(i, SlotWord.VALUE_LENGTH);
    if (length === 0 || !(this.#flags(i) & SlotFlag.SPANS)) return [this.value(i)];
    const parts: Uint8Array[] = [];
    eachPart(
      this.laneBuffer(i),
      this.slot(i),
      0,
      length,
      (bytes, from, to) => parts.push(bytes.subarray(from, to)),
    );
    return parts;
  }

  isJson(i: number): boolean {
    return (this.#flags(i) & SlotFlag.JSON) !== 0;
  }

  hasNewline(i: number): boolean {
    const flags = this.#flags(i);
    if (!(flags & SlotFlag.UNSEEN)) return (flags & SlotFlag.NEWLINE) !== 0;
    return this.valueParts(i).some((part) => holdsNewline(part));
  }

  runEnd(i: number): number {
    if (this.#flags(i) & NOT_IN_RUN) return i;
    const positions = this.positions;
    const first = positions[i];
    const words = this.#segment(i).words;
    let base = words.length - ((first & 0xffff) + 1) * SLOT_WORDS;
    let end = words[base + SlotWord.VALUE_OFFSET] + words[base + SlotWord.VALUE_LENGTH];
    let j = i + 1;
    // Neighbours in the batch are neighbours in the segment when their positions count up by one within one buffer.
    for (; j < this.count && positions[j] === first + (j - i); j++) {
      base -= SLOT_WORDS;
      if (words[base + SlotWord.FLAGS_AND_KEY_LENGTH] & NOT_IN_RUN) break;
      const offset = words[base + SlotWord.VALUE_OFFSET];
      if (offset !== end + 1) break;
      end = offset + words[base + SlotWord.VALUE_LENGTH];
    }
    return j;
  }

  run(i: number, j: number): Uint8Array {
    const from = this.#word(i, SlotWord.VALUE_OFFSET);
    const to = this.#word(j - 1, SlotWord.VALUE_OFFSET) + this.#word(j - 1, SlotWord.VALUE_LENGTH) + 1;
    return this.#segment(i).bytes.subarray(from, to);
  }

  key(i: number): Uint8Array | null {
    const flags = this.#flags(i);
    if (!(flags & SLOT_HAS_KEY)) return null;
    const segment = this.#segment(i);
    if (flags & SlotFlag.KEY_INLINE) {
      const from = this.#word(i, SlotWord.KEY_OFFSET);
      return segment.bytes.subarray(from, from + this.#keyLength(i));
    }
    if (flags & SlotFlag.KEY_SHARED) {
      const lengths = this.#metaWord(i, MetaWord.ID_AND_KEY_LENGTH);
      const from = this.#word(i, SlotWord.META_OFFSET) + META_WORDS * 4 + (lengths & 0xffff);
      return segment.bytes.subarray(from, from + (lengths >>> 16));
    }
    const key = new Uint8Array(this.#keyLength(i));
    this.#copyRun(i, this.#word(i, SlotWord.VALUE_LENGTH) + 1, key.length, key, 0);
    return key;
  }

  keyHash(i: number): number {
    return this.#word(i, SlotWord.KEY_HASH);
  }

  /** Whether record `i` has a key. */
  hasKey(i: number): boolean {
    return (this.#flags(i) & SLOT_HAS_KEY) !== 0;
  }

  headers(i: number): readonly (readonly [string, string])[] {
    const segment = this.#segment(i);
    const metaOffset = this.#word(i, SlotWord.META_OFFSET);
    if (this.#headersOf === segment && this.#headersAt === metaOffset) return this.#headers;
    this.#headers = readHeaders(segment.bytes, segment.words, metaOffset);
    this.#headersOf = segment;
    this.#headersAt = metaOffset;
    return this.#headers;
  }

  isCloudEvent(i: number): boolean {
    return (this.#flags(i) & SlotFlag.CLOUD_EVENT) !== 0;
  }

  id(i: number): string {
    const idLength = this.#metaWord(i, MetaWord.ID_AND_KEY_LENGTH) & 0xffff;
    const segment = this.#segment(i);
    if (idLength > 0) {
      const from = this.#word(i, SlotWord.META_OFFSET) + META_WORDS * 4;
      return decoder.decode(segment.bytes.subarray(from, from + idLength));
    }
    if (this.#flags(i) & SlotFlag.CLOUD_EVENT_JSON) {
      const value = this.value(i);
      return cloudEventId(attributeOf(value, sourcePointer), attributeOf(value, idPointer));
    }
    return this.#ids.text(segment.fillSeq, this.slot(i));
  }

  copyId(i: number, target: Uint8Array, offset: number): number {
    const position = this.positions[i];
    const slot = position & 0xffff;
    const { words, fillSeq } = this.buffers[position >>> 16].buffer.segment;
    const base = words.length - (slot + 1) * SLOT_WORDS;
    const meta = words[base + SlotWord.META_OFFSET] >> 2;
    const isGiven = (words[meta + MetaWord.ID_AND_KEY_LENGTH] & 0xffff) > 0;
    if (isGiven || words[base + SlotWord.FLAGS_AND_KEY_LENGTH] & SlotFlag.CLOUD_EVENT_JSON) {
      return copyText(this.id(i), target, offset);
    }
    return this.#ids.write(fillSeq, slot, target, offset);
  }

  acceptedAtMs(i: number): number {
    return this.#metaWord(i, MetaWord.ACCEPTED_HIGH) * 0x1_0000_0000 +
      this.#metaWord(i, MetaWord.ACCEPTED_LOW);
  }

  #segment(i: number): Segment {
    return this.buffers[this.positions[i] >>> 16].buffer.segment;
  }

  #word(i: number, word: number): number {
    const position = this.positions[i];
    const words = this.buffers[position >>> 16].buffer.segment.words;
    return words[words.length - ((position & 0xffff) + 1) * SLOT_WORDS + word];
  }

  #metaWord(i: number, word: number): number {
    return this.#segment(i).words[(this.#word(i, SlotWord.META_OFFSET) >> 2) + word];
  }

  #flags(i: number): number {
    return this.#word(i, SlotWord.FLAGS_AND_KEY_LENGTH) & 0xffff;
  }

  #keyLength(i: number): number {
    return this.#word(i, SlotWord.FLAGS_AND_KEY_LENGTH) >>> 16;
  }

  #copyRun(i: number, skip: number, length: number, target: Uint8Array, offset: number): void {
    let at = offset;
    eachPart(this.laneBuffer(i), this.slot(i), skip, length, (bytes, from, to) => {
      target.set(bytes.subarray(from, to), at);
      at += to - from;
    });
  }
}

/** The attribute of an event in structured mode; the door has seen that it is there. */
function attributeOf(event: Uint8Array, pointer: PointerScanner): string {
  pointer.begin();
  pointer.scan(event, 0, event.length);
  pointer.finish();
  return decoder.decode(pointer.key.subarray(0, pointer.keyLength));
}
