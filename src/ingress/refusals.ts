/**
 * Why a request is refused, in the words that its client is told: the name of the limit as it stands in the config, its
 * value, and what to do about it.
 *
 * @module
 */
import type { TokenBucket } from "../limit/token_bucket.ts";
import type { Framer, FramerFailure } from "./framer.ts";
import type { ProblemKind } from "./replies.ts";

/** A problem before it is an answer. */
export interface Refusal {
  /** What it is. */
  readonly kind: ProblemKind;
  /** HTTP status. */
  readonly status: number;
  /** The sentence for this one. */
  readonly detail: string;
  /** Headers beside those of every problem, name and value in turn. */
  readonly headers: readonly string[];
}

/** The gateway stops while the request is open. */
export const STOPPED: Refusal = {
  kind: "stopped",
  status: 503,
  detail: "the gateway stopped before the outcome was known; accepted records may still arrive",
  headers: ["Retry-After", "1"],
};

/** Some outcome did not come in time. */
export function notDelivered(deliverTimeoutMs: number): Refusal {
  return refusal(
    "not-delivered-in-time",
    504,
    `no outcome within deliverTimeoutMs ${deliverTimeoutMs}; the accepted records stay accepted and may still arrive`,
  );
}

/** There is no room for the body, as `why` says; `kind` is what it waits for. */
export function noRoom(kind: "no-buffers" | "sink-behind", why: string, seconds: number): Refusal {
  return refusal(kind, 429, `${why}; try again in ${seconds} s`, retryAfter(seconds));
}

/** The quota has no tokens left. */
export function quotaUsedUp(seconds: number): Refusal {
  const detail = `the stream's quota is used up; try again in ${seconds} s`;
  return refusal("quota-exceeded", 429, detail, retryAfter(seconds));
}

/** The quota never has so many tokens at once. */
export function overBurst(records: number, bytes: number, { maxRecords, maxBytes }: TokenBucket): Refusal {
  return refusal(
    "batch-too-large",
    413,
    `${records} records of ${bytes} bytes are more than the quota's burst of ${maxRecords} records and ${maxBytes} bytes; send less at once`,
  );
}

/** The stream never has so many segments at once. */
export function overMemory(segments: number): Refusal {
  return refusal(
    "batch-too-large",
    413,
    `the body needs more than the ${segments} segments that the stream may have; send less at once`,
  );
}

/** The decoded body is too large. */
export function bodyTooLarge(maxBodyBytes: number): Refusal {
  return refusal("body-too-large", 413, `the body is over maxBodyBytes ${maxBodyBytes}`);
}

/** The body cannot be read on. */
export function unreadable({ kind, detail }: FramerFailure): Refusal {
  return kind === "record-too-large" ? refusal("record-too-large", 413, detail) : badRequest(detail);
}

/** The body is complete, and `framer` has taken nothing of it. */
export function nothingAcceptable({ rejectedCount, rejected: [first] }: Framer): Refusal {
  return badRequest(
    rejectedCount > 0
      ? `no record is acceptable: record ${first.index}: ${first.reason}`
      : "the body is empty: it holds no record",
  );
}

/** The body is not what it says. */
export function badRequest(detail: string): Refusal {
  return refusal("bad-request", 400, detail);
}

function refusal(
  kind: ProblemKind,
  status: number,
  detail: string,
  headers: readonly string[] = [],
): Refusal {
  return { kind, status, detail, headers };
}

function retryAfter(seconds: number): readonly string[] {
  return ["Retry-After", String(seconds)];
}
