/** What a write's outcomes say, as a whole. @module */
import { Outcome } from "../sink/adapter.ts";

/** Why records were not acked, by index; undefined when the adapter gave none. */
export type Reasons = ReadonlyMap<number, string> | undefined;

/** Records whose outcome is `outcome`. */
export function countOf(outcomes: Uint8Array, outcome: number): number {
  let n = 0;
  for (let i = 0; i < outcomes.length; i++) if (outcomes[i] === outcome) n++;
  return n;
}

/** What is wrong with what an adapter returned for `count` records; null when it can be used. It may be a module of JavaScript: anything can be in it. */
export function contractFault(result: unknown, count: number): string | null {
  const { kind, outcomes, reasons } = (result ?? {}) as {
    kind?: unknown;
    outcomes?: unknown;
    reasons?: unknown;
  };
  if (kind === "tooLarge") return null;
  if (kind !== "written") return `the adapter returned no result for ${count} records`;
  if (!(outcomes instanceof Uint8Array)) return `the adapter returned no outcomes for ${count} records`;
  if (outcomes.length !== count) {
    return `the adapter returned ${outcomes.length} outcomes for ${count} records`;
  }
  for (let i = 0; i < count; i++) {
    if (outcomes[i] > Outcome.REJECTED) return `the adapter returned the unknown outcome ${outcomes[i]}`;
  }
  return reasons === undefined || reasons instanceof Map
    ? null
    : "the adapter returned reasons that are no Map";
}

/** The reason of the first record that is to be tried again. */
export function firstReason(outcomes: Uint8Array, reasons: Reasons): string {
  return reasons?.get(outcomes.indexOf(Outcome.RETRYABLE)) ?? "the sink asked to try again";
}
