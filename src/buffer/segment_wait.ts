/**
 * Waiting for guaranteed segments ends. They are guaranteed, but another pool may still hold what it got beyond its
 * own guarantee; where that is held by a sink which never answers, waiting for ever would hide a deadlock
 * (FLINK-12852).
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { SegmentBlock } from "./segment_block.ts";

/** How long to wait for guaranteed segments that are not free yet. */
export interface SegmentWait {
  /** Measures the wait. */
  readonly clock: Clock;
  /** Milliseconds until {@linkcode SegmentTimeoutError}. */
  readonly timeoutMs: number;
  /** Ends the wait early, with its reason. */
  readonly signal?: AbortSignal;
}

/** Guaranteed segments did not come home in time. What was collected is given back. */
export class SegmentTimeoutError extends Error {
  /** Always `SegmentTimeoutError`. */
  override readonly name = "SegmentTimeoutError";
  /** Milliseconds waited. */
  readonly timeoutMs: number;
  /** An error about `action`, what could not be done, as "Cannot …". */
  constructor(action: string, timeoutMs: number) {
    super(
      `${action}: they are guaranteed, but others did not give them back within ${timeoutMs} ms; ` +
        `look for a sink that does not settle its writes, or raise the timeout`,
    );
    this.timeoutMs = timeoutMs;
  }
}

/**
 * Calls `attempt` now, and again each time `block` has a free segment, until it returns true. Rejects with what
 * `attempt` throws, with the signal's reason, or with {@linkcode SegmentTimeoutError} about `action`.
 */
export function takeWithin(
  block: SegmentBlock,
  action: string,
  attempt: () => boolean,
  { clock, timeoutMs, signal }: SegmentWait,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = (): void => {
    timer.cancel();
    signal?.removeEventListener("abort", onAbort);
    block.forgetTaker(retry);
  };
  const fail = (reason: unknown): void => {
    stop();
    reject(reason);
  };
  const onAbort = (): void => fail(signal!.reason);
  const retry = (): void => {
    try {
      if (!attempt()) return block.onFree(retry);
    } catch (error) {
      return fail(error);
    }
    stop();
    resolve();
  };
  const timer = clock.setTimer(() => fail(new SegmentTimeoutError(action, timeoutMs)), timeoutMs);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  else block.turn.run(retry);
  return promise;
}
