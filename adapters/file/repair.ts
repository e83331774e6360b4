/**
 * A process that dies in the middle of a write leaves half a record at the end. It was never acked, so it will come
 * again; left there it would glue itself to the next record.
 *
 * @module
 */
import type { Framing } from "./framing.ts";
import { LENGTH_BYTES } from "./framing.ts";

const CHUNK_BYTES = 64 * 1024;
const LF = 0x0a;

/** Bytes of the file at `path` up to the end of its last whole record, by its framing. */
export async function wholeBytes(path: string, framing: Framing): Promise<number> {
  using file = await Deno.open(path, { read: true });
  const { size } = await file.stat();
  return framing === "length" ? await endOfFrames(file, size) : await endOfLines(file, size);
}

/** Looks for the last LF, from the end. */
async function endOfLines(file: Deno.FsFile, size: number): Promise<number> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let to = size; to > 0;) {
    const from = Math.max(0, to - CHUNK_BYTES);
    const read = await readAt(file, from, chunk.subarray(0, to - from));
    const at = read.lastIndexOf(LF);
    if (at >= 0) return from + at + 1;
    to = from;
  }
  return 0;
}

/** Goes from frame to frame: a length cannot be told from a value when coming from the end. */
async function endOfFrames(file: Deno.FsFile, size: number): Promise<number> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  let end = 0;
  while (end + LENGTH_BYTES <= size) {
    const read = await readAt(file, end, chunk.subarray(0, Math.min(CHUNK_BYTES, size - end)));
    if (read.length < LENGTH_BYTES) return end;
    const lengths = new DataView(read.buffer, read.byteOffset, read.byteLength);
    let at = 0;
    while (at + LENGTH_BYTES <= read.length) {
      const next = at + LENGTH_BYTES + lengths.getUint32(at);
      if (end + next > size) return end + at;
      at = next;
    }
    end += at;
  }
  return end;
}

async function readAt(file: Deno.FsFile, offset: number, target: Uint8Array): Promise<Uint8Array> {
  await file.seek(offset, Deno.SeekMode.Start);
  let length = 0;
  while (length < target.length) {
    const read = await file.read(target.subarray(length));
    if (read === null) break;
    length += read;
  }
  return target.subarray(0, length);
}
