/** Reads back what sinks stored, by framing. @module */
import type { Framing } from "../../adapters/file/framing.ts";

/** The lines of `bytes`; throws when the last one has no LF. */
export function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let from = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, from)) {
    lines.push(bytes.subarray(from, at));
    from = at + 1;
  }
  if (from !== bytes.length) {
    throw new Error(`Cannot read lines: ${bytes.length - from} bytes behind the last LF`);
  }
  return lines;
}

/** The records of a file. */
export function readFrames(bytes: Uint8Array, framing: Framing): Uint8Array[] {
  if (framing === "lines") return linesOf(bytes);
  if (framing === "base64") {
    return linesOf(bytes).map((line) => Uint8Array.fromBase64(new TextDecoder().decode(line)));
  }
  const records: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + view.getUint32(at);
    if (end > bytes.length) {
      throw new Error(`Cannot read frames: the one at ${at} ends at ${end} of ${bytes.length}`);
    }
    records.push(bytes.slice(at + 4, end));
    at = end;
  }
  return records;
}
