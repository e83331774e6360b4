/** The faults that a call ends with, for tests that compare sentences. @module */
import { ConfigError } from "../../src/core/errors.ts";

/** The faults of the `ConfigError` that `run` throws; none when it does not throw. Any other error passes through. */
export function faultsOf(run: () => unknown): readonly string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}
