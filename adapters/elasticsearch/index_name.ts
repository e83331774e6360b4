/**
 * Names of indices. A name is part of an action line, and some characters mean more than themselves to the cluster
 * (date math, wildcards, lists), so only what can be a plain name is let through.
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";

/** Of index names, in UTF-8. */
const MAX_NAME_BYTES = 255;
const MS_PER_HOUR = 3_600_000;
const encoder = new TextEncoder();

/** What is wrong with `name` as the name of an index, alias or data stream; null when nothing is. */
export function indexNameFault(name: string): string | null {
  if (name === "" || name === "." || name === "..") return "an index name must not be empty, . or ..";
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (/[\x00-\x20\x7f\\/*?"<>|,#:{}]/.test(name)) {
    return `an index name must not hold blanks or any of \\ / * ? " < > | , # : { }`;
  }
  if (/^[-_+]/.test(name)) return "an index name must not begin with - _ or +";
  if (name !== name.toLowerCase()) return "an index name must be in lower case";
  if (encoder.encode(name).length > MAX_NAME_BYTES) {
    return `an index name has at most ${MAX_NAME_BYTES} bytes`;
  }
  return null;
}

/** A name that may hold the date: `logs-{yyyy.MM.dd}`, with `yyyy`, `MM`, `dd` and `HH`, in UTC. */
export class IndexPattern {
  readonly #before: string;
  readonly #format: string;
  readonly #after: string;
  #hour = NaN;
  #name: Uint8Array;

  /** `text` must be free of faults. */
  constructor(text: string) {
    assert(IndexPattern.faultOf(text) === null, "the config refuses faulty patterns");
    const [, before, format, after] = text.match(/^([^{]*)(?:\{([^}]*)\}(.*))?$/)!;
    this.#before = before;
    this.#format = format ?? "";
    this.#after = after ?? "";
    this.#name = encoder.encode(before);
  }

  /** What is wrong with `text` as a pattern; null when nothing is. */
  static faultOf(text: string): string | null {
    const match = text.match(/^([^{}]*)(?:\{([^{}]*)\}([^{}]*))?$/);
    if (match === null) return "an index name may hold one date in braces, as logs-{yyyy.MM.dd}";
    const [, before, format, after] = match;
    if (format === undefined) return indexNameFault(text);
    if (!/^(?:yyyy|MM|dd|HH)(?:[-._]?(?:yyyy|MM|dd|HH))*$/.test(format)) {
      return "a date in an index name is made of yyyy, MM, dd and HH, with - . or _ between them";
    }
    return indexNameFault(before + format.toLowerCase() + after);
  }

  /** Whether the name depends on the time. */
  get isDated(): boolean {
    return this.#format !== "";
  }

  /** The name for a record that was accepted at `wallMs` (since 1970); the same array as long as the hour is the same. */
  nameAt(wallMs: number): Uint8Array {
    if (this.#format === "") return this.#name;
    const hour = Math.floor(wallMs / MS_PER_HOUR);
    if (hour !== this.#hour) {
      this.#hour = hour;
      this.#name = encoder.encode(this.#before + formatUtc(this.#format, hour * MS_PER_HOUR) + this.#after);
    }
    return this.#name;
  }
}

function formatUtc(format: string, wallMs: number): string {
  const iso = new Date(wallMs).toISOString();
  return format.replace("yyyy", iso.slice(0, 4)).replace("MM", iso.slice(5, 7)).replace(
    "dd",
    iso.slice(8, 10),
  )
    .replace("HH", iso.slice(11, 13));
}
