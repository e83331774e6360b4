/**
 * What users may catch. An error says action, rule, value and what to do.
 *
 * @module
 */

/** The config, or a command line, cannot be used. Exit code 2. */
export class ConfigError extends Error {
  /** Always `ConfigError`. */
  override readonly name = "ConfigError";
  /** One line a fault, each with its path. */
  readonly faults: readonly string[];
  /** An error about `faults`. @param faults one sentence a fault, each beginning with the path of the key. */
  constructor(faults: readonly string[]) {
    super(
      faults.length === 1 ? faults[0] : `${faults.length} faults in the config:\n  ${faults.join("\n  ")}`,
    );
    this.faults = faults;
  }
}

/** A pool cannot guarantee what was asked of it. Carries the sums, so that the caller can name the smallest pool that would do. */
export class InsufficientSegmentsError extends Error {
  /** Always `InsufficientSegmentsError`. */
  override readonly name = "InsufficientSegmentsError";
  /** Segments asked for. */
  readonly requested: number;
  /** Segments that could still be guaranteed. */
  readonly available: number;
  /** Segments of the whole pool. */
  readonly total: number;
  /** An error about `action`. @param action what could not be done, as "Cannot …". */
  constructor(action: string, requested: number, available: number, total: number) {
    super(
      `${action}: needs ${requested} guaranteed segments, but only ${available} of ${total} are not guaranteed to others; ` +
        `raise buffers.segments to at least ${
          total - available + requested
        }, or lower minSegments or maxRecordBytes`,
    );
    this.requested = requested;
    this.available = available;
    this.total = total;
  }
}

/** The pool or gateway was closed while something waited on it. */
export class ClosedError extends Error {
  /** Always `ClosedError`. */
  override readonly name = "ClosedError";
}
