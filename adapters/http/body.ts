/**
 * Bodies as lists of pieces. NDJSON is the batch itself: its runs are views of the segments, sent without a copy. A
 * JSON array wants commas where segments have LFs, so it is copied once.
 *
 * @module
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { isJsonText } from "../../src/core/json_scanner.ts";
import type { Batch } from "../../src/sink/adapter.ts";
import { structuredEvent } from "../../src/sink/cloud_event.ts";
import { encodedBytesOf, encodedValueBytes } from "../../src/sink/encoded_bytes.ts";
import { GatherBuffer } from "../../src/sink/gather_buffer.ts";
import { frameLines } from "../../src/sink/lines.ts";
import type { Verdict } from "../../src/sink/verdict.ts";

/** Form of a body. */
export type BodyFormat = "ndjson" | "array";

/** Content type of each form. */
export const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  ndjson: "application/x-ndjson",
  array: "application/json",
};

const OPEN = 0x5b;
const COMMA = 0x2c;
const CLOSE = 0x5d;

const gzipped = promisify(gzip);

/** The pieces of the body of `batch`; what the form cannot hold is rejected in `verdict`. They may be views of the batch. */
export function encodeBody(batch: Batch, format: BodyFormat, verdict: Verdict): Uint8Array[] {
  if (format === "array") return [encodeArray(batch, verdict)];
  const pieces: Uint8Array[] = [];
  frameLines(batch, verdict, (bytes) => void pieces.push(bytes));
  return pieces;
}

/** Bytes of the body of `batch`: an LF behind each record, or commas between them and two brackets. */
export function bodyBytes(batch: Batch, format: BodyFormat): number {
  const bytes = encodedBytesOf(batch, encodedValueBytes) + batch.count;
  return format === "array" ? bytes + 1 : bytes;
}

/** `pieces` as one gzip body. Copied first: zlib's thread would go on reading segments after the write was given up. */
export async function compressBody(pieces: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const whole = new GatherBuffer();
  whole.restart(byteLength(pieces));
  for (const piece of pieces) whole.append(piece);
  return [await gzipped(whole.view())];
}

/** Bytes of all `pieces`. */
export function byteLength(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}

function encodeArray(batch: Batch, verdict: Verdict): Uint8Array {
  const body = new GatherBuffer();
  body.restart(batch.bytes + batch.count + 1);
  body.appendByte(OPEN);
  for (let i = 0; i < batch.count; i++) {
    if (!batch.isCloudEvent(i) && !holdsJson(batch, i)) {
      verdict.reject(i, `the record is no JSON, which the body's format "array" needs`);
      continue;
    }
    if (body.length > 1) body.appendByte(COMMA);
    if (batch.isCloudEvent(i)) {
      body.append(structuredEvent(batch.headers(i), batch.value(i)));
    } else {
      const length = batch.valueLength(i);
      batch.copyValue(i, body.reserve(length), body.length);
      body.advance(length);
    }
  }
  body.appendByte(CLOSE);
  return body.view();
}

function holdsJson(batch: Batch, i: number): boolean {
  return batch.isJson(i) || isJsonText(batch.value(i), 0, batch.valueLength(i));
}
