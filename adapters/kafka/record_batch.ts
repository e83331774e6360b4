/**
 * Kafka's record batch (message format 2), written straight from the lane's memory: the library would make several
 * objects for each record.
 *
 * ```text
 * 0 base offset:i64  8 length:i32  12 leader epoch:i32  16 magic:i8  17 crc32c:u32  21 attributes:i16
 * 23 last offset delta:i32  27 base time:i64  35 max time:i64  43 producer id:i64  51 epoch:i16
 * 53 base sequence:i32  57 count:i32  61 records
 * ```
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";
import type { Batch } from "../../src/sink/adapter.ts";
import { HeaderEncoder } from "./headers.ts";

/** Bytes before the records. */
export const BATCH_HEADER_BYTES = 61;
/** A record's own length, attributes, time, offset, and the lengths of its key, value and headers, at most. */
const RECORD_FRAMING_BYTES = 1 + 5 + 10 + 5 + 5 + 5;
const MAGIC = 2;
const FIRST_CAPACITY = 65_536;

/** Of a batch's attributes: it counts when its transaction is committed. */
const TRANSACTIONAL_BIT = 0x10;

/** What is encoded of a batch: its records, by index. */
export type RecordSource = Pick<
  Batch,
  "acceptedAtMs" | "copyValue" | "headers" | "isCloudEvent" | "key" | "valueLength"
>;

/** A codec: its number in a batch's attributes, and what it does. */
export interface Codec {
  readonly bits: number;
  /** Compresses the records of a batch; null leaves them as they are. */
  readonly compress: ((records: Uint8Array) => Uint8Array) | null;
}

/** Who writes, as brokers know it: id and epoch, or -1 for no one. */
export interface ProducerIdentity {
  readonly id: bigint;
  readonly epoch: number;
}

/** Records `from` to `to - 1` of a run, encoded. */
export interface EncodedBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Records in it. */
  readonly count: number;
  /** Its bytes before compression. */
  readonly rawBytes: number;
}

/** Encodes one batch after another, in memory that it keeps. */
export class RecordBatchEncoder {
  readonly #codec: Codec;
  readonly #attributes: number;
  readonly #headers = new HeaderEncoder();
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_CAPACITY);
  #length = 0;

  constructor(codec: Codec, isTransactional: boolean) {
    this.#codec = codec;
    this.#attributes = codec.bits | (isTransactional ? TRANSACTIONAL_BIT : 0);
  }

  /**
   * Encodes the records of `batch` that `order[from]` to `order[to - 1]` name, as many as `maxBytes` hold before
   * compression, but at least one. {@linkcode seal} makes it ready to be sent.
   */
  encode(batch: RecordSource, order: Int32Array, from: number, to: number, maxBytes: number): EncodedBatch {
    assert(from < to, "a batch has a record");
    const baseMs = batch.acceptedAtMs(order[from]);
    let maxMs = baseMs;
    let at = from;
    this.#length = BATCH_HEADER_BYTES;
    for (; at < to; at++) {
      const i = order[at];
      const atMs = batch.acceptedAtMs(i);
      const before = this.#length;
      this.#record(batch, i, atMs - baseMs, at - from);
      if (this.#length > maxBytes && at > from) {
        this.#length = before;
        break;
      }
      if (atMs > maxMs) maxMs = atMs;
    }
    return { bytes: this.#finish(at - from, baseMs, maxMs), count: at - from, rawBytes: this.#length };
  }

  /** Bytes of record `i` where it stands at `offset` of a batch, and is `deltaMs` younger than its first record. */
  recordBytes(batch: RecordSource, i: number, deltaMs: number, offset: number): number {
    const headers = this.#headers.encode(batch.headers(i), batch.isCloudEvent(i));
    const body = varintBytes(deltaMs) + varintBytes(offset) +
      partsBytes(batch.key(i)?.length ?? -1, batch.valueLength(i), headers.length);
    return varintBytes(body) + body;
  }

  #record(batch: RecordSource, i: number, deltaMs: number, offset: number): void {
    const key = batch.key(i);
    const headers = this.#headers.encode(batch.headers(i), batch.isCloudEvent(i));
    const valueLength = batch.valueLength(i);
    const keyLength = key === null ? -1 : key.length;
    const body = varintBytes(deltaMs) + varintBytes(offset) +
      partsBytes(keyLength, valueLength, headers.length);
    this.#reserve(body + RECORD_FRAMING_BYTES);
    this.#varint(body);
    this.#bytes[this.#length++] = 0;
    this.#varint(deltaMs);
    this.#varint(offset);
    this.#varint(keyLength);
    if (key !== null) this.#append(key);
    this.#varint(valueLength);
    this.#length += batch.copyValue(i, this.#bytes, this.#length);
    this.#append(headers);
  }

  #finish(count: number, baseMs: number, maxMs: number): Uint8Array<ArrayBuffer> {
    const { compress } = this.#codec;
    let sealed: Uint8Array<ArrayBuffer>;
    if (compress === null) sealed = this.#bytes.slice(0, this.#length);
    else {
      const packed = compress(this.#bytes.subarray(BATCH_HEADER_BYTES, this.#length));
      sealed = new Uint8Array(BATCH_HEADER_BYTES + packed.length);
      sealed.set(packed, BATCH_HEADER_BYTES);
    }
    const view = new DataView(sealed.buffer);
    view.setBigInt64(0, 0n);
    view.setInt32(8, sealed.length - 12);
    view.setInt32(12, -1);
    view.setInt8(16, MAGIC);
    view.setInt16(21, this.#attributes);
    view.setInt32(23, count - 1);
    view.setBigInt64(27, BigInt(baseMs));
    view.setBigInt64(35, BigInt(maxMs));
    view.setInt32(57, count);
    return sealed;
  }

  #append(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #varint(value: number): void {
    let rest = zigzag(value);
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Writes into an encoded batch who sends it and as its which, and its checksum by `crc32c`. */
export function seal(
  bytes: Uint8Array<ArrayBuffer>,
  { id, epoch }: ProducerIdentity,
  sequence: number,
  crc32c: (bytes: Uint8Array) => number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setBigInt64(43, id);
  view.setInt16(51, epoch);
  view.setInt32(53, sequence);
  view.setUint32(17, crc32c(bytes.subarray(21)));
}

/** A record's attributes, key, value and headers. */
function partsBytes(keyLength: number, valueLength: number, headersLength: number): number {
  return 1 + varintBytes(keyLength) + Math.max(0, keyLength) + varintBytes(valueLength) + valueLength +
    headersLength;
}

/** Small numbers of either sign as small positive ones; without bit operations, as times pass 32 bits. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
