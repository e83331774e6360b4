/**
 * What the controllers that bound the source have in common: a sink says how much its streams may bring, and each
 * stream's admission asks for its part. The way from the lane to the sink is never theirs: what is in has to get out.
 *
 * Asking is pulling. Admission asks when a request comes and when buffers come back, so nothing has to be told to
 * anyone, no message can be lost, and a controller that nobody asks costs nothing.
 *
 * @module
 */

/** What the admission of a stream asks, over all its sinks. */
export interface SourceGate {
  /** When records may enter, ms from now; 0 for now. It may be later when the time has come. */
  waitMs(): number;
}

/** What one stream brings to one sink. */
export interface Feed {
  /** Its share of the sink against those of other streams. */
  readonly weight: number;
  /** Records that entered since it was last asked. */
  readonly enteredRecords: number;
  /** Records that entered and are not settled. */
  readonly unsettledRecords: number;
  /** How full the queue of its fullest lane is, 0 to 1. */
  readonly queueLevel: number;
}

/** A controller's part for one stream. */
export interface FeedControl {
  /** When the stream may bring more, ms from now; 0 for now. */
  waitMs(feed: Feed, nowMs: number): number;
  /** Records per second that it may bring; null without such a limit. */
  readonly recordsPerSecond: number | null;
}

/** The controller of one sink. */
export interface SourceControl {
  /** Its part for a stream more. A part that is not asked for a while is forgotten. */
  join(): FeedControl;
  /** Records per second that all streams together may bring; null without such a limit. */
  readonly recordsPerSecond: number | null;
}
