/** JSON logs, one object a line on standard error: standard output belongs to the `stdout` sink. @module */

/** Severity of a line. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Fields beside `time`, `level` and `message`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes log lines; `child` adds fields to each of its lines. */
export interface Logger {
  /** For maintainers. */
  debug(message: string, fields?: LogFields): void;
  /** What happened. */
  info(message: string, fields?: LogFields): void;
  /** What an operator should look at. */
  warn(message: string, fields?: LogFields): void;
  /** What went wrong. */
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines carry `fields` too. */
  child(fields: LogFields): Logger;
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
