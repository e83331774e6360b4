/**
 * The record format: bytes in a segment, from the door to the adapter.
 *
 * A segment is a slotted page (`../buffer/segment.ts`). From the front grow *metas* and values, from the back one
 * slot of six 32-bit words per record. What a whole request shares (acceptance time, explicit id, shared key,
 * headers) stands once per segment in its meta; the slot points at it.
 *
 * ```text
 * front ▶ [meta][value LF][value LF][value LF][meta][value LF] …free… [slot 2][slot 1][slot 0] ◀ back
 * ```
 *
 * Every value that fits is followed by an LF that is not part of it, so that adjacent records are lines already.
 * A record that does not fit goes on at byte 0 of the next segment of its chain (`SlotFlag.SPANS`): its stored run is
 * `value`, LF, and its key when that is not a slice of the value (`SlotFlag.KEY_AFTER`).
 *
 * @module
 */

/** 32-bit words of one slot. */
export const SLOT_WORDS = 6;
/** Bytes of one slot. */
export const SLOT_BYTES = SLOT_WORDS * 4;

/** Words of a slot, counted from its first. */
export const SlotWord = {
  /** Byte offset of the value in its segment. */
  VALUE_OFFSET: 0,
  /** Bytes of the value, in all segments together. */
  VALUE_LENGTH: 1,
  /** Flags in the low 16 bits, bytes of the key in the high 16. */
  FLAGS_AND_KEY_LENGTH: 2,
  /** Byte offset of the key in the segment of the slot (`KEY_INLINE`). */
  KEY_OFFSET: 3,
  /** 32-bit hash of the key; without a key it spreads records over lanes. */
  KEY_HASH: 4,
  /** Byte offset of the meta, a multiple of 4. */
  META_OFFSET: 5,
} as const;

/** Flags of a slot. */
export const SlotFlag = {
  /** The value is known to be one JSON text. */
  JSON: 1,
  /** The value holds a CR or an LF, or was not looked at for them (`UNSEEN`). */
  NEWLINE: 2,
  /** The value goes on in the next segment of the chain. */
  SPANS: 4,
  /** The key is the slice of this segment at `KEY_OFFSET`. */
  KEY_INLINE: 8,
  /** The key stands behind the value and its LF, in the same stored run. */
  KEY_AFTER: 16,
  /** The key is the meta's. */
  KEY_SHARED: 32,
  /** CloudEvents binary mode: the `ce-*` headers of the meta describe the value. */
  CLOUD_EVENT: 64,
  /** Set beside `NEWLINE` where nobody looked yet: a sink that cares looks, and for others it would be wasted. */
  UNSEEN: 256,
  /** CloudEvents structured mode: source and id stand in the value and make the record id. */
  CLOUD_EVENT_JSON: 128,
} as const;

/** Any of the three places for a key. */
export const SLOT_HAS_KEY = SlotFlag.KEY_INLINE | SlotFlag.KEY_AFTER | SlotFlag.KEY_SHARED;

/** Longest key in bytes; a longer one is a reason to reject the record. Kafka's and Elasticsearch's own limits are of this order (512 to some thousands). */
export const MAX_KEY_BYTES = 1024;

/** Fixed words of a meta; id, key and headers follow as bytes. */
export const META_WORDS = 4;

/** Words of a meta, counted from its first. */
export const MetaWord = {
  /** Acceptance time in ms since 1970, divided by 2^32. */
  ACCEPTED_HIGH: 0,
  /** Acceptance time in ms since 1970, modulo 2^32. */
  ACCEPTED_LOW: 1,
  /** Bytes of the explicit id in the low 16 bits, of the shared key in the high 16. */
  ID_AND_KEY_LENGTH: 2,
  /** Number of headers in the low 16 bits, their bytes in the high 16. */
  HEADERS: 3,
} as const;

/** What the records of one request share, encoded once per request and copied once per segment. */
export interface RecordMeta {
  /** ms since 1970. */
  readonly acceptedAtMs: number;
  /** Explicit id (CloudEvents source and id); empty for the gateway's own. */
  readonly id: Uint8Array;
  /** Key of all records of the request; empty when they have none or each its own. */
  readonly key: Uint8Array;
  /** Number of headers. */
  readonly headerCount: number;
  /** Headers as `nameLength:u16 valueLength:u16 name value`, little endian, in a row. */
  readonly headerBytes: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A meta without id, key and headers. */
export function plainMeta(acceptedAtMs: number): RecordMeta {
  return { acceptedAtMs, id: EMPTY, key: EMPTY, headerCount: 0, headerBytes: EMPTY };
}

/** Bytes that `meta` takes in a segment, its padding to a word included. */
export function metaBytes(meta: RecordMeta): number {
  return (META_WORDS * 4 + meta.id.length + meta.key.length + meta.headerBytes.length + 3) & ~3;
}

/** Writes `meta` at byte `offset`, a multiple of 4, of a segment's bytes and the same as words. Returns the byte behind it. */
export function writeMeta(meta: RecordMeta, bytes: Uint8Array, words: Uint32Array, offset: number): number {
  const base = offset >> 2;
  words[base + MetaWord.ACCEPTED_HIGH] = Math.floor(meta.acceptedAtMs / 0x1_0000_0000);
  words[base + MetaWord.ACCEPTED_LOW] = meta.acceptedAtMs >>> 0;
  words[base + MetaWord.ID_AND_KEY_LENGTH] = meta.id.length | (meta.key.length << 16);
  words[base + MetaWord.HEADERS] = meta.headerCount | (meta.headerBytes.length << 16);
  let at = offset + META_WORDS * 4;
  if (meta.id.length > 0) bytes.set(meta.id, at);
  at += meta.id.length;
  if (meta.key.length > 0) bytes.set(meta.key, at);
  at += meta.key.length;
  if (meta.headerBytes.length > 0) bytes.set(meta.headerBytes, at);
  return offset + metaBytes(meta);
}

/** Decodes the headers of the meta at byte `offset`, as `[name, value]` in their order. */
export function readHeaders(
  bytes: Uint8Array,
  words: Uint32Array,
  offset: number,
): readonly (readonly [string, string])[] {
  const base = offset >> 2;
  const lengths = words[base + MetaWord.ID_AND_KEY_LENGTH];
  const count = words[base + MetaWord.HEADERS] & 0xffff;
  const headers: (readonly [string, string])[] = [];
  let at = offset + META_WORDS * 4 + (lengths & 0xffff) + (lengths >>> 16);
  for (let k = 0; k < count; k++) {
    const nameEnd = at + 4 + (bytes[at] | (bytes[at + 1] << 8));
    const valueEnd = nameEnd + (bytes[at + 2] | (bytes[at + 3] << 8));
    headers.push([
      decoder.decode(bytes.subarray(at + 4, nameEnd)),
      decoder.decode(bytes.subarray(nameEnd, valueEnd)),
    ]);
    at = valueEnd;
  }
  return headers;
}

/** FNV-1a over `bytes[from, to)`, 32 bits: cheap, and spread well enough over lanes and the in-flight table. */
export function hashKey(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash >>> 0;
}

/** Encodes headers for {@linkcode RecordMeta}. Names and values over 65,535 bytes cannot occur: the server's header limit is far below. */
export function encodeHeaders(headers: readonly (readonly [string, string])[]): Uint8Array {
  if (headers.length === 0) return EMPTY;
  const parts = headers.map(([name, value]) => [encoder.encode(name), encoder.encode(value)] as const);
  const out = new Uint8Array(parts.reduce((sum, [n, v]) => sum + 4 + n.length + v.length, 0));
  let at = 0;
  for (const [name, value] of parts) {
    out[at++] = name.length & 255;
    out[at++] = name.length >> 8;
    out[at++] = value.length & 255;
    out[at++] = value.length >> 8;
    out.set(name, at);
    out.set(value, at + name.length);
    at += name.length + value.length;
  }
  return out;
}

/** The record id of a CloudEvent. The pair is unique (CloudEvents 1.0, "id"); `#` cannot stand in the path or query of a source URI. */
export function cloudEventId(source: string, id: string): string {
  return `${source}#${id}`;
}
