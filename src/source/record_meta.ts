/**
 * What stands beside a record's value: its id is `topic-topicId-partition-offset`, so that a record that comes twice has
 * the same id twice, and its time is the one it has in Kafka, so that it goes to the same dated index twice. The topic's
 * own id is in it because a topic that is deleted and made anew begins at offset 0 again: under the name alone its
 * records would be taken for those of the old one, and a sink that stores each id once would drop them.
 *
 * One object serves all records of a partition, one after the other: it is copied into the segment before the next.
 *
 * @module
 */
import { MAX_KEY_BYTES, metaBytes, type RecordMeta } from "../core/record.ts";
import { BatchBit, type FetchedBatch, type FetchedRecord } from "./fetched.ts";

const EMPTY = new Uint8Array(0);
/** Digits of the largest offset that a number holds. */
const MAX_OFFSET_DIGITS = 16;
/** A length of a name or a value is stored in 16 bits. */
const MAX_HEADER_BYTES = 65_535;
const DIGIT_0 = 48;
/** Last ms of the year 9999: brokers take any 63 bits for a time, which dated names of sinks cannot hold. */
const MAX_TIME_MS = 253_402_300_799_999;

/** The meta of the record that was set last. */
export class KafkaRecordMeta implements RecordMeta {
  acceptedAtMs = 0;
  id: Uint8Array;
  key: Uint8Array = EMPTY;
  headerCount = 0;
  headerBytes: Uint8Array = EMPTY;
  readonly #topic: string;
  readonly #partition: number;
  readonly #maxBytes: number;
  #topicId: string | null = null;
  #idBuffer: Uint8Array = EMPTY;
  #prefixBytes = 0;

  /** Of records of one partition; `maxBytes` is the most that a meta may take. */
  constructor(topic: string, partition: number, maxBytes: number) {
    this.#topic = topic;
    this.#partition = partition;
    this.#maxBytes = maxBytes;
    this.id = EMPTY;
  }

  /** The records that follow are of the topic with the id `topicId`, a UUID; ids have it as Kafka's tools print it. */
  useTopicId(topicId: string): void {
    if (topicId === this.#topicId) return;
    this.#topicId = topicId;
    const printed = Uint8Array.fromHex(topicId.replaceAll("-", "")).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    const prefix = new TextEncoder().encode(`${this.#topic}-${printed}-${this.#partition}-`);
    this.#prefixBytes = prefix.length;
    this.#idBuffer = new Uint8Array(prefix.length + MAX_OFFSET_DIGITS);
    this.#idBuffer.set(prefix);
    this.id = this.#idBuffer;
  }

  /** Becomes that of `record`; `useTopicId` comes before. Returns why the record cannot be kept, or null. `nowMs` stands in for a time that is not set. */
  set(batch: FetchedBatch, record: FetchedRecord, offset: number, nowMs: number): string | null {
    this.#setId(offset);
    this.acceptedAtMs = timestampOf(batch, record) ?? nowMs;
    this.key = record.key ?? EMPTY;
    this.headerCount = 0;
    this.headerBytes = EMPTY;
    if (this.key.length > MAX_KEY_BYTES) {
      this.key = EMPTY;
      return `its key of ${record.key!.length} bytes is longer than ${MAX_KEY_BYTES} bytes`;
    }
    const headerBytes = sizeOf(record.headers);
    const bytes = metaBytes(this) + headerBytes;
    if (bytes > this.#maxBytes) {
      return `its key, id and headers take ${bytes} bytes, more than the ${this.#maxBytes} that fit beside a record`;
    }
    if (record.headers.length > 0) {
      this.headerCount = record.headers.length;
      this.headerBytes = encode(record.headers, headerBytes);
    }
    return null;
  }

  #setId(offset: number): void {
    let digits = 1;
    for (let rest = offset; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    const length = this.#prefixBytes + digits;
    if (this.id.length !== length) this.id = this.#idBuffer.subarray(0, length);
    for (let at = length - 1, rest = offset; at >= this.#prefixBytes; at--) {
      this.#idBuffer[at] = DIGIT_0 + rest % 10;
      rest = Math.floor(rest / 10);
    }
  }
}

function timestampOf(batch: FetchedBatch, record: FetchedRecord): number | null {
  const ms = batch.attributes & BatchBit.LOG_APPEND_TIME
    ? Number(batch.maxTimestamp)
    : Number(batch.firstTimestamp) + Number(record.timestampDelta);
  return ms >= 0 ? Math.min(ms, MAX_TIME_MS) : null;
}

function sizeOf(headers: FetchedRecord["headers"]): number {
  let bytes = 0;
  for (const [name, value] of headers) {
    const nameBytes = name?.length ?? 0;
    const valueBytes = value?.length ?? 0;
    if (nameBytes > MAX_HEADER_BYTES || valueBytes > MAX_HEADER_BYTES) return Infinity;
    bytes += 4 + nameBytes + valueBytes;
  }
  return bytes;
}

/** As {@linkcode RecordMeta} wants them; a header without a value has an empty one. */
function encode(headers: FetchedRecord["headers"], bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let at = 0;
  for (const [name, value] of headers) {
    const nameBytes = name?.length ?? 0;
    const valueBytes = value?.length ?? 0;
    out[at++] = nameBytes & 255;
    out[at++] = nameBytes >> 8;
    out[at++] = valueBytes & 255;
    out[at++] = valueBytes >> 8;
    if (name !== null) out.set(name, at);
    if (value !== null) out.set(value, at + nameBytes);
    at += nameBytes + valueBytes;
  }
  return out;
}
