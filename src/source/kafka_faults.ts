/**
 * What went wrong at a broker, out of the errors of the client library: they nest, and the fact is often the innermost.
 *
 * @module
 */

/** Codes of the Kafka protocol that the source has an answer to. */
export const Fault = {
  /** The offset is not, or no longer, in the partition. */
  OFFSET_OUT_OF_RANGE: "OFFSET_OUT_OF_RANGE",
  /** The topic was deleted, or never was. */
  UNKNOWN_TOPIC_OR_PARTITION: "UNKNOWN_TOPIC_OR_PARTITION",
  /** The same by the topic's id, as when it was deleted and made again. */
  UNKNOWN_TOPIC_ID: "UNKNOWN_TOPIC_ID",
  /** The gateway may not read the topic. */
  TOPIC_AUTHORIZATION_FAILED: "TOPIC_AUTHORIZATION_FAILED",
  /** The broker and the client library disagree about what the broker remembers of the fetches before (KIP-227). */
  INVALID_FETCH_SESSION_EPOCH: "INVALID_FETCH_SESSION_EPOCH",
  /** The broker remembers nothing of them. */
  FETCH_SESSION_ID_NOT_FOUND: "FETCH_SESSION_ID_NOT_FOUND",
  /** They were of a topic that was made anew. */
  FETCH_SESSION_TOPIC_ID_ERROR: "FETCH_SESSION_TOPIC_ID_ERROR",
  /** The group has given this member up. */
  UNKNOWN_MEMBER_ID: "UNKNOWN_MEMBER_ID",
  /** The group goes on without this member. */
  FENCED_MEMBER_EPOCH: "FENCED_MEMBER_EPOCH",
} as const;

interface Nested {
  readonly message?: unknown;
  readonly apiId?: unknown;
  readonly errors?: unknown;
  readonly cause?: unknown;
}

/** `error` and all that it wraps, outer before inner. */
function* chain(error: unknown, depth = 0): Generator<Nested> {
  // No library nests deeper; a cycle would be without end.
  if (typeof error !== "object" || error === null || depth > 8) return;
  const nested: Nested = error;
  yield nested;
  if (Array.isArray(nested.errors)) { for (const inner of nested.errors) yield* chain(inner, depth + 1); }
  yield* chain(nested.cause, depth + 1);
}

/** Whether `error` says that a topic is not there; the client library says so in words only where it looks for leaders. */
export function isUnknownTopic(error: unknown): boolean {
  return isFault(error, Fault.UNKNOWN_TOPIC_OR_PARTITION, Fault.UNKNOWN_TOPIC_ID) ||
    chain(error).some(({ message }) => typeof message === "string" && message.startsWith("Unknown topic "));
}

/** Whether `error` says that the gateway may not even see a topic; brokers answer so for topics that are not there, too. */
export function isForbiddenTopic(error: unknown): boolean {
  return isFault(error, Fault.TOPIC_AUTHORIZATION_FAILED);
}

/** Whether `error` is, or wraps, one of `faults`. */
export function isFault(error: unknown, ...faults: readonly string[]): boolean {
  return chain(error).some(({ apiId }) => typeof apiId === "string" && faults.includes(apiId));
}

/** What the innermost error says, with those around it. */
export function reasonOf(error: unknown): string {
  const messages = new Set<string>();
  for (const { message } of chain(error)) {
    if (typeof message === "string" && message !== "") messages.add(message.replace(/\.$/, ""));
  }
  return messages.size === 0 ? String(error) : [...messages].slice(0, 4).join(": ");
}
