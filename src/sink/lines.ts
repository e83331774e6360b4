/**
 * One record, one line. Records stand in their segments with an LF behind each, so whole runs of them are lines
 * already; only what cannot stand on a line as it is gets a second look.
 *
 * @module
 */
import { isJsonText } from "../core/json_scanner.ts";
import type { Batch } from "./adapter.ts";
import { structuredEvent } from "./cloud_event.ts";
import type { Verdict } from "./verdict.ts";
import { withoutNewlines } from "./without_newlines.ts";

const LF = 0x0a;
const LINE_END = Uint8Array.of(LF);

/** Reason for records that line framing cannot hold. */
export const HOLDS_LINE_FEED = "the record is no JSON and holds a line feed, which a line cannot";

/**
 * Hands the lines of `batch` to `emit`, in order and each with its LF. What is emitted may be a view of the batch, and
 * is as short-lived. A JSON record gets its CR and LF written as spaces (in valid JSON they only stand outside strings),
 * a CloudEvent in binary mode becomes a structured one; a record that is no JSON and holds an LF is rejected; a CR
 * alone stays, as it ends no line.
 */
export function frameLines(batch: Batch, verdict: Verdict, emit: (bytes: Uint8Array) => void): void {
  for (let i = 0; i < batch.count;) {
    const end = batch.runEnd(i);
    if (end > i) {
      emit(batch.run(i, end));
      i = end;
      continue;
    }
    const refusal = frameLine(batch, i, emit);
    if (refusal === null) emit(LINE_END);
    else verdict.reject(i, refusal);
    i++;
  }
}

/** Emits record `i` without its LF, or returns why it cannot be a line. */
function frameLine(batch: Batch, i: number, emit: (bytes: Uint8Array) => void): string | null {
  if (batch.isCloudEvent(i)) {
    emit(structuredEvent(batch.headers(i), batch.value(i)));
  } else if (!batch.hasNewline(i)) {
    for (const part of batch.valueParts(i)) emit(part);
  } else {
    const value = batch.value(i);
    if (batch.isJson(i) || isJsonText(value, 0, value.length)) emit(withoutNewlines(value));
    else if (value.includes(LF)) return HOLDS_LINE_FEED;
    else emit(value);
  }
  return null;
}
