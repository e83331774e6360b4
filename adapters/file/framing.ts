/**
 * How a file tells its records apart. Lines are what every tool reads, and cannot hold an LF outside JSON; `length`
 * (big-endian u32, then the bytes) and `base64` (one line each) hold any bytes.
 *
 * A CloudEvent in binary mode is written as a structured event in every framing: its attributes stand in headers, and
 * a file has none.
 *
 * @module
 */
import { unreachable } from "../../src/core/assert.ts";
import type { Batch } from "../../src/sink/adapter.ts";
import { structuredEvent } from "../../src/sink/cloud_event.ts";
import { encodedValueBytes } from "../../src/sink/encoded_bytes.ts";
import type { GatherBuffer } from "../../src/sink/gather_buffer.ts";
import { frameLines } from "../../src/sink/lines.ts";
import type { Verdict } from "../../src/sink/verdict.ts";

/** How records are told apart. */
export type Framing = "lines" | "length" | "base64";

/** Bytes before each record in framing `length`. */
export const LENGTH_BYTES = 4;
const LF = 0x0a;

/** Bytes that a framing adds to a record. Base64 adds a third of the value as well, which a constant cannot say. */
export const FRAMING_BYTES: Readonly<Record<Framing, number>> = { lines: 1, length: LENGTH_BYTES, base64: 3 };

const encoder = new TextEncoder();

/** Bytes of record `i` in `framing`. */
export function framedBytes(batch: Batch, i: number, framing: Framing): number {
  const bytes = encodedValueBytes(batch, i);
  return framing === "base64" ? Math.ceil(bytes / 3) * 4 + 1 : bytes + FRAMING_BYTES[framing];
}

/** Gathers `batch` in `target`; what the framing cannot hold is rejected in `verdict`. */
export function encodeBatch(batch: Batch, framing: Framing, target: GatherBuffer, verdict: Verdict): void {
  switch (framing) {
    case "lines":
      target.restart(batch.bytes + batch.count);
      frameLines(batch, verdict, (bytes) => target.append(bytes));
      return;
    case "length":
      target.restart(batch.bytes + batch.count * LENGTH_BYTES);
      for (let i = 0; i < batch.count; i++) appendLengthFrame(batch, i, target);
      return;
    case "base64":
      target.restart(Math.ceil(batch.bytes * 4 / 3) + batch.count * FRAMING_BYTES.base64);
      for (let i = 0; i < batch.count; i++) appendBase64Line(batch, i, target);
      return;
    default:
      unreachable(framing);
  }
}

function appendLengthFrame(batch: Batch, i: number, target: GatherBuffer): void {
  if (batch.isCloudEvent(i)) {
    const event = structuredEvent(batch.headers(i), batch.value(i));
    appendLength(event.length, target);
    target.append(event);
    return;
  }
  const length = batch.valueLength(i);
  appendLength(length, target);
  batch.copyValue(i, target.reserve(length), target.length);
  target.advance(length);
}

function appendLength(length: number, target: GatherBuffer): void {
  target.appendByte(length >>> 24);
  target.appendByte(length >>> 16 & 0xff);
  target.appendByte(length >>> 8 & 0xff);
  target.appendByte(length & 0xff);
}

function appendBase64Line(batch: Batch, i: number, target: GatherBuffer): void {
  const value = batch.value(i);
  const bytes = batch.isCloudEvent(i) ? structuredEvent(batch.headers(i), value) : value;
  const text = bytes.toBase64();
  encoder.encodeInto(text, target.reserve(text.length).subarray(target.length));
  target.advance(text.length);
  target.appendByte(LF);
}
