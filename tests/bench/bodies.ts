/**
 * What the load sends: JSON as producers write it, of an exact size, the same bytes in every run.
 *
 * @module
 */

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 ";

/** Text of `length` characters that repeats nothing obvious; a plain congruential sequence, as chance would differ per run. */
function filler(length: number, seed: number): string {
  let state = seed + 1;
  let text = "";
  for (let i = 0; i < length; i++) {
    state = (state * 1103515245 + 12345) % 2147483648;
    text += LETTERS[(state >> 8) % LETTERS.length];
  }
  return text;
}

/** One JSON object of exactly `bytes` bytes (at least 150), its key at `/user/id`; `index` makes it differ. */
export function jsonRecord(bytes: number, index = 0): string {
  const record = {
    time: "2026-01-01T00:00:00.000Z",
    level: "info",
    user: { id: `user-${index}`, active: true },
    durationMs: 12.5 + index,
    tags: ["edge", "eu"],
    message: "",
  };
  const rest = bytes - JSON.stringify(record).length;
  if (rest < 0) {
    throw new RangeError(`Cannot make a record of ${bytes} bytes: its fields alone take ${bytes - rest}`);
  }
  return JSON.stringify({ ...record, message: filler(rest, index) });
}

/** `count` JSON objects of `bytes` bytes each, one a line. */
export function jsonLines(count: number, bytes: number): string {
  return Array.from({ length: count }, (_, i) => jsonRecord(bytes, i) + "\n").join("");
}
