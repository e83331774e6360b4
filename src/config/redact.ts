/**
 * Secrets stay out of what is printed: an effective config or an error message ends up in logs and tickets.
 *
 * @module
 */

const SECRET_KEY =
  /token|secret|passw|credential|authorization|cookie|api[-_]?key|private[-_]?key|signature/i;
const HIDDEN = "(hidden)";

/** `value` as it may be shown under `key`: secrets, also those deep inside and passwords in URLs, read `(hidden)`. */
export function redact(key: string, value: unknown): unknown {
  if (value === null || value === undefined) return value;
  if (typeof value === "string") {
    return SECRET_KEY.test(key)
      ? HIDDEN
      : value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@\s]+@/i, `$1${HIDDEN}@`);
  }
  if (Array.isArray(value)) return value.map((item) => redact(key, item));
  if (typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, redact(name, item)]));
  }
  return SECRET_KEY.test(key) ? HIDDEN : value;
}

/** `value` in few words for an error message, without secrets. */
export function shown(key: string, value: unknown): string {
  const text = JSON.stringify(redact(key, value)) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
