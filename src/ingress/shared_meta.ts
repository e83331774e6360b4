/**
 * What all records of a request share: the key that the client named, the headers that the stream keeps, the attributes
 * of a CloudEvent in binary mode. It is stored once per buffer, beside the records.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { cloudEventId, encodeHeaders, MAX_KEY_BYTES, metaBytes, type RecordMeta } from "../core/record.ts";
import type { Exchange } from "./exchange.ts";
import type { StreamDoor } from "./stream_door.ts";

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

/** The shared part, or why it cannot be kept. */
export type SharedMeta =
  | {
    /** The meta; null where the records share nothing but the moment. */
    readonly meta: RecordMeta | null;
  }
  | { readonly tooLarge: string };

const NOTHING: SharedMeta = { meta: null };

/** What the records of `exchange` share. `key` is the one that the client named, or null; `cloudEvent` has the `ce-*` headers of an event in binary mode. */
export function sharedMetaOf(
  door: StreamDoor,
  exchange: Pick<Exchange, "header">,
  key: string | null,
  cloudEvent: readonly (readonly [string, string])[] | null,
): SharedMeta {
  const { policy, clock } = door;
  if (key === null && cloudEvent === null && policy.headers.length === 0) return NOTHING;
  const keyBytes = key === null ? EMPTY : encoder.encode(key);
  if (keyBytes.length > MAX_KEY_BYTES) return { tooLarge: `the key is longer than ${MAX_KEY_BYTES} bytes` };
  const headers: (readonly [string, string])[] = [];
  for (const [name, value] of cloudEvent ?? []) headers.push([name, utf8Of(value)]);
  const event = cloudEvent && Object.fromEntries(headers);
  for (const name of policy.headers) {
    const value = exchange.header(name);
    if (value !== undefined && !headers.some(([other]) => other === name)) {
      headers.push([name, utf8Of(value)]);
    }
  }
  const meta: RecordMeta = {
    acceptedAtMs: clock.wallMs(),
    id: event ? encoder.encode(cloudEventId(event["ce-source"], event["ce-id"])) : EMPTY,
    key: keyBytes,
    headerCount: headers.length,
    headerBytes: encodeHeaders(headers),
  };
  const bytes = metaBytes(meta);
  if (bytes <= policy.maxSharedBytes) return { meta };
  return {
    tooLarge:
      `key, id and kept headers take ${bytes} bytes, more than the ${policy.maxSharedBytes} that fit beside a record`,
  };
}

/** The server gives header bytes as one character each; what they say is UTF-8. */
export function utf8Of(headerValue: string): string {
  return Buffer.from(headerValue, "latin1").toString();
}
