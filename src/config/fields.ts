/**
 * The kinds of values that the config is made of. Each states its rule in one sentence, because a user who reads
 * "must be a whole number from 1 to 64" can act on it, and one who reads "Invalid input" cannot.
 *
 * @module
 */
import { z } from "zod";

/** The longest delay that a timer of the runtime holds, in ms; a longer one would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647;

/** A whole number from `min` to `max`, both included. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodInt {
  const rule = max === Number.MAX_SAFE_INTEGER
    ? `must be a whole number, at least ${min}`
    : `must be a whole number from ${min} to ${max}`;
  return z.int({ error: rule }).min(min, { error: rule }).max(max, { error: rule });
}

/** A time span in whole ms, from `min` (1 when not given) to {@linkcode MAX_TIMER_MS}. */
export function spanMs(min = 1): z.ZodInt {
  return whole(min, MAX_TIMER_MS);
}

/** A number above zero and at most `max`; fractions are allowed. */
export function positive(max: number): z.ZodNumber {
  const rule = `must be a number above 0 and at most ${max}`;
  return z.number({ error: rule }).positive({ error: rule }).max(max, { error: rule });
}

/** A string that is not empty. */
export function text(): z.ZodString {
  const rule = "must be a string that is not empty";
  return z.string({ error: rule }).min(1, { error: rule });
}

/** A string that `pattern` matches; `rule` says so in words. */
export function matching(pattern: RegExp, rule: string): z.ZodString {
  return z.string({ error: rule }).regex(pattern, { error: rule });
}

/** One of `known`. A value of `later` is refused as not built yet, so that nobody takes it for a typing error. */
export function choice<const T extends readonly [string, ...string[]]>(
  known: T,
  later: readonly string[] = [],
): z.ZodEnum<{ [K in T[number]]: K }> {
  const list = known.length === 1 ? JSON.stringify(known[0]) : `one of ${known.join(", ")}`;
  return z.enum(known, {
    error: (issue) =>
      typeof issue.input === "string" && later.includes(issue.input)
        ? `must be ${list} (${JSON.stringify(issue.input)} is not built yet)`
        : `must be ${list}`,
  });
}

/** The names that a stream or a sink may have, as a sentence. */
export const NAME_RULE = "must be 1 to 64 characters of a-z, 0-9 and -, and no word that every object knows";

/** Whether `name` may name a stream or a sink; words that every object knows, as `constructor`, may not. */
export function isName(name: string): boolean {
  return /^[a-z0-9-]{1,64}$/.test(name) && !(name in {});
}

/**
 * A value with a default that gives way to its neighbours: who lowers `maxBodyBytes` alone should not be told that the
 * default of `maxRecordBytes` is too large. The map's own transform fills it in; the default is for the README.
 */
export function yielding<T extends z.ZodType>(
  field: T,
  value: number,
  description: string,
): z.ZodOptional<T> {
  return field.optional().meta({ default: value, description });
}

/** An error for a rule between keys of one map; `sentence` names them with the values they have, defaults included. */
export function between<T>(
  sentence: (map: T) => string,
): { error: (issue: { readonly input?: unknown }) => string } {
  return { error: (issue) => sentence(issue.input as T) };
}

/** A reference to a stream or a sink. */
export function reference(what: "stream" | "sink"): z.ZodString {
  return text().describe(`Name of a ${what}`);
}
