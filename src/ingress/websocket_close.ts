/**
 * How the gateway closes a WebSocket: a code, and a reason that fits a close frame.
 *
 * @module
 */

/** Close codes that the gateway sends (RFC 6455, 7.4.1, and the IANA registry). */
export const Close = {
  /** It drains, or the stream is removed. */
  GOING_AWAY: 1001,
  /** A message that the stream does not take. */
  POLICY: 1008,
  /** A message over a limit. */
  TOO_BIG: 1009,
  /** Held too much for too long. */
  TRY_AGAIN: 1013,
} as const;

/** Longest reason of a close frame (RFC 6455, 5.5.1), bytes. */
export const MAX_REASON_BYTES = 123;

/** `text` cut to `maxBytes` of UTF-8, between characters. */
export function cutToBytes(text: string, maxBytes: number): string {
  const target = new Uint8Array(maxBytes);
  const { read } = new TextEncoder().encodeInto(text, target);
  return text.slice(0, read);
}
