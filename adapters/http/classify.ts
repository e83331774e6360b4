/**
 * What an HTTP status means for the records: the server's load and its outages pass, a refusal does not.
 *
 * @module
 */
import { NO_PRESSURE, type Pressure, SATURATED, type WriteResult } from "../../src/sink/adapter.ts";
import type { Verdict } from "../../src/sink/verdict.ts";
import type { Answer } from "./exchange.ts";

/** Start of an answer's body that reasons are made of. */
export const MAX_REASON_BYTES = 800;
/** Characters of it in a reason. */
const MAX_REASON_CHARS = 200;
/** Longest wait that is taken from a server: a wrong clock or a typo there would else stop the sink for years. */
const MAX_DELAY_MS = 3_600_000;

/** How the write ended whose answer is `answer`. `wallMs` is now, for a `Retry-After` that is a date. */
export function classify(answer: Answer, verdict: Verdict, wallMs: number): WriteResult {
  const { status } = answer;
  if (status >= 200 && status < 300) return verdict.acked();
  const reason = describeAnswer(answer);
  if (status === 413) return { kind: "tooLarge", reason, pressure: NO_PRESSURE };
  if (status === 429 || status === 503) {
    return verdict.retryable(reason, askedPressure(answer.retryAfter, wallMs));
  }
  if (status === 408 || status >= 500) return verdict.retryable(reason);
  // Credentials are the operator's to mend; the records are not at fault, and no load is told.
  if (status === 401 || status === 403) return verdict.retryable(reason, NO_PRESSURE);
  return verdict.rejected(reason);
}

/** Status and start of the body, as `HTTP 400 Bad Request: no such field`. */
export function describeAnswer({ status, statusText, body }: Answer): string {
  const head = `HTTP ${status} ${statusText}`.trimEnd();
  const text = printable(body.subarray(0, MAX_REASON_BYTES));
  if (text === "") return head;
  return `${head}: ${text.length > MAX_REASON_CHARS ? `${text.slice(0, MAX_REASON_CHARS - 1)}…` : text}`;
}

/**
 * `Retry-After` (RFC 9110, 10.2.3: seconds or a date) as pressure; without one, or with one that is past, only that
 * there is load. `wallMs` is now.
 */
export function askedPressure(retryAfter: string | null, wallMs: number): Pressure {
  if (retryAfter === null) return SATURATED;
  const text = retryAfter.trim();
  const delayMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - wallMs;
  return delayMs > 0 ? { kind: "throttle", delayMs: Math.min(delayMs, MAX_DELAY_MS) } : SATURATED;
}

function printable(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/[\p{Cc}\s]+/gu, " ").trim();
}
