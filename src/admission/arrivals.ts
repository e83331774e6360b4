/**
 * Whoever comes for a stream's buffers, as admission sees them: bodies, which are answered in time or refused, and
 * sockets, which are not read for as long as it takes. Their age is one order for both, so that neither kind starves the
 * other.
 *
 * @module
 */
/** Order of arrival of whatever waits for a stream's buffers, over all streams. */
let arrivals = 0;

/** The age of one that arrives now; lower is older. */
export function nextAge(): number {
  return arrivals++;
}

/** A socket that is not read until there is room for what was read of it. */
export interface PausedReader {
  /** Order in which it began to wait; lower is older. */
  readonly age: number;
  /** Bytes of the message that comes first. */
  readonly expectedBytes: number;
  /** There may be room now. True when it waits for it no longer. */
  retry(): boolean;
  /** The quota may have tokens again. */
  quotaOpened(): void;
}

/** A body as admission sees it. */
export interface AdmittedBody {
  /** Order of arrival at the gateway; lower is older. */
  readonly age: number;
  /** Whether it comes back at a time that it was told. */
  readonly promised: boolean;
  /** Bytes that it wants to bring, as far as is known. */
  readonly expectedBytes: number;
  /** Segments that it would give back. */
  readonly heldSegments: number;
  /** Clock time of the last byte that its client sent; Infinity while it is not read. */
  readonly lastByteMs: number;
  /** Gives everything back that is not accepted and answers 429: an older body needs it. */
  evict(): void;
  /** There may be a segment now. True when the body no longer waits. */
  retry(): boolean;
  /** The wait is over: answer 429. */
  expire(): void;
}
