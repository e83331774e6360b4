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

/** What is wrong with the outcomes that an adapter gave for `count` records; null when they can be used. */
export function contractFault(outcomes: Uint8Array, count: number): string | null {
  if (!(outcomes instanceof Uint8Array)) return `the adapter returned no outcomes for ${count} records`;
  if (outcomes.length !== count) {
    return `the adapter returned ${outcomes.length} outcomes for ${count} records`;
  }
  for (let i = 0; i < count; i++) {
    if (outcomes[i] > Outcome.REJECTED) return `the adapter returned the unknown outcome ${outcomes[i]}`;
  }
  return null;
}

/** The reason of the first record that is to be tried again. */
export function firstReason(outcomes: Uint8Array, reasons: Reasons): string {
  return reasons?.get(outcomes.indexOf(Outcome.RETRYABLE)) ?? "the sink asked to try again";
}
