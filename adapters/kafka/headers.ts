/**
 * Record headers as Kafka has them. The records of a request share one array of headers, so the last one encoded is
 * kept.
 *
 * A CloudEvent in binary mode keeps its mode: Kafka's binding writes `ce_id` where HTTP's has `ce-id`, and its values are
 * plain UTF-8 where HTTP's are percent-encoded (CloudEvents Kafka binding 1.0, 3.2).
 *
 * @module
 */
import { percentDecoded } from "../../src/sink/cloud_event.ts";

/** The count 0. */
const NONE = Uint8Array.of(0);
const encoder = new TextEncoder();

/** Encodes headers: their count, then each name and value with its length. */
export class HeaderEncoder {
  #last: readonly (readonly [string, string])[] | null = null;
  #lastIsEvent = false;
  #encoded: Uint8Array = NONE;

  /** The bytes behind a record's value. */
  encode(headers: readonly (readonly [string, string])[], isCloudEvent: boolean): Uint8Array {
    if (headers.length === 0) return NONE;
    if (headers !== this.#last || isCloudEvent !== this.#lastIsEvent) {
      this.#last = headers;
      this.#lastIsEvent = isCloudEvent;
      this.#encoded = encodeHeaders(isCloudEvent ? headers.map(bound) : headers);
    }
    return this.#encoded;
  }
}

/** A header of an event, by Kafka's binding. */
function bound([name, value]: readonly [string, string]): readonly [string, string] {
  return name.startsWith("ce-") ? [`ce_${name.slice(3)}`, percentDecoded(value)] : [name, value];
}

function encodeHeaders(headers: readonly (readonly [string, string])[]): Uint8Array {
  const bytes: number[] = [];
  pushVarint(bytes, headers.length);
  for (const [name, value] of headers) {
    for (const text of [encoder.encode(name), encoder.encode(value)]) {
      pushVarint(bytes, text.length);
      for (const byte of text) bytes.push(byte);
    }
  }
  return Uint8Array.from(bytes);
}

/** Zigzag: a length is written doubled. */
function pushVarint(bytes: number[], value: number): void {
  let rest = value * 2;
  for (; rest > 0x7f; rest = rest >>> 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
}
