/**
 * The process's log, by pino. Lines are written synchronously: nothing queues, so a slow reader of standard error
 * costs time and never memory, and the last line before an exit is not lost.
 *
 * Fields are merged here and not by pino's own children, which write a key twice when a line repeats a field of its
 * parent; parsers disagree about which of the two counts.
 *
 * @module
 */
import pino from "pino";
import type { LogFields, Logger, LogLevel } from "../core/log.ts";

/** How {@linkcode createLogger} writes. */
export interface LoggerOptions {
  /** Lines below it are dropped. */
  readonly level: LogLevel;
  /** Takes each line with its LF, and returns when it is written. Default: standard error. */
  readonly write?: (line: string) => void;
}

/**
 * A logger of JSON lines `{time, level, message, ...fields}`, `time` in RFC 3339 UTC. An `Error` among the fields
 * becomes `{name, message, stack, cause}`. A field called `time`, `level` or `message` gets a `_` in front, so that
 * no line has a key twice.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { write } = options;
  const target = write ? { write } : pino.destination({ dest: STDERR, sync: true });
  const lines = pino({
    level: options.level,
    base: null,
    messageKey: "message",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  }, target);
  return new JsonLogger(lines, {});
}

const STDERR = 2;
/** A chain of causes may be a ring; what is beyond tells an operator nothing. */
const MAX_CAUSES = 4;

class JsonLogger implements Logger {
  readonly #lines: pino.Logger;
  readonly #fields: LogFields;

  constructor(lines: pino.Logger, fields: LogFields) {
    this.#lines = lines;
    this.#fields = fields;
  }

  debug(message: string, fields?: LogFields): void {
    this.#write("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write("error", message, fields);
  }

  child(fields: LogFields): Logger {
    return new JsonLogger(this.#lines, { ...this.#fields, ...plain(fields) });
  }

  #write(level: LogLevel, message: string, fields?: LogFields): void {
    if (!this.#lines.isLevelEnabled(level)) return;
    // pino reads a third argument as values for %s; without one, a % in the message stays as it is.
    this.#lines[level](fields ? { ...this.#fields, ...plain(fields) } : this.#fields, message);
  }
}

function plain(fields: LogFields): LogFields {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const key = name === "time" || name === "level" || name === "message" ? `_${name}` : name;
    out[key] = value instanceof Error ? plainError(value, MAX_CAUSES) : value;
  }
  return out;
}

function plainError(error: Error, causesLeft: number): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  if (cause === undefined || causesLeft === 0) return { name, message, stack };
  return { name, message, stack, cause: cause instanceof Error ? plainError(cause, causesLeft - 1) : cause };
}
