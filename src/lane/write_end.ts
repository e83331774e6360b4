/** How a write ended, and what that says of the sink's load. @module */
import { Outcome, type WriteResult } from "../sink/adapter.ts";
import { contractFault } from "./outcomes.ts";

/** How a write ended for the lane: what the adapter returned, or the error of a promise that was rejected (unknown outcome). */
export type WriteEnd =
  | { readonly kind: "result"; readonly result: WriteResult }
  | { readonly kind: "unknown"; readonly error: unknown };

/**
 * Whether a write of `count` records was refused for load; null when it tells neither that nor how long an answer takes.
 * A throttle is a refusal where records are to be sent again: a sink that asks for a pause at every write beyond what it
 * takes would else be met by as many after it. One that took them all only asks for time.
 */
export function wasRefused(end: WriteEnd, count: number): boolean | null {
  if (end.kind === "unknown") return true;
  const { result } = end;
  if (contractFault(result, count) !== null) return null;
  // Of a module in JavaScript the pressure may be missing.
  const kind = result.pressure?.kind;
  if (kind === "saturated") return true;
  if (result.kind === "tooLarge") return null;
  if (!result.outcomes.includes(Outcome.RETRYABLE)) return false;
  return kind === "throttle" ? true : null;
}
