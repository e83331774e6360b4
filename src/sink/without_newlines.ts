/** Valid JSON on one line: CR and LF can only stand between its tokens, where a space means the same. @module */

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

/** A copy of the JSON text `json` with each CR and LF as a space. */
export function withoutNewlines(json: Uint8Array): Uint8Array {
  const line = json.slice();
  for (let at = 0; at < line.length; at++) if (line[at] === LF || line[at] === CR) line[at] = SPACE;
  return line;
}
