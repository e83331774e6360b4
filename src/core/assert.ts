/**
 * A mistake of ours is told with the invariant in words, in production too: a pool that miscounts loses data
 * later and elsewhere, so it is cheaper to stop where it happens.
 *
 * @module
 */

/** An invariant of Weir does not hold: a bug in Weir or in an adapter, never the fault of input. */
export class InvariantError extends Error {
  /** Always `InvariantError`. */
  override readonly name = "InvariantError";
}

/** Throws {@linkcode InvariantError} with `invariant` when `holds` is false. */
export function assert(holds: boolean, invariant: string): asserts holds {
  if (!holds) throw new InvariantError(`Broken invariant: ${invariant}`);
}

/** For the branch that the compiler knows cannot be reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`Broken invariant: unexpected case ${JSON.stringify(value)}`);
}
