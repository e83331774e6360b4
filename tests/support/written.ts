/** What tests ask of the result of a write. @module */
import { assert } from "../../src/core/assert.ts";
import type { WriteResult } from "../../src/sink/adapter.ts";

/** `result` as one with outcomes; fails the test for any other. */
export function written(result: WriteResult): Extract<WriteResult, { kind: "written" }> {
  assert(result.kind === "written", `the write ends with outcomes, not as ${result.kind}`);
  return result;
}

/** The outcomes of `result`, as an array that compares and prints well. */
export function outcomesOf(result: WriteResult): number[] {
  return Array.from(written(result).outcomes);
}

/** Why records were not acked, in their order. */
export function reasonsOf(result: WriteResult): string[] {
  return result.kind === "tooLarge"
    ? [result.reason]
    : [...(result.reasons ?? new Map<number, string>()).values()];
}
