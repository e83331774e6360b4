/** Records of a simulation: JSON that begins with the record's number, and dead letters that hold such. @module */
import { assert } from "@std/assert";

/** What a dead letter says. */
export interface Letter {
  readonly stream: string;
  readonly sink: string;
  readonly reason: string;
  readonly attempts: number;
  readonly key: string | null;
}

/** A record seen at a sink. */
export interface Sighting {
  /** Its number. */
  readonly record: number;
  /** The innermost dead letter around it, or null. */
  readonly letter: Letter | null;
}

const decoder = new TextDecoder();
const LEAD = '{"r":';

/** The text of record `record`, `bytes` long where that is enough; `key` empty for none. */
export function recordText(record: number, key: string, bytes: number): string {
  const head = `${LEAD}${record},"k":"${key}","p":"`;
  return `${head}${"x".repeat(Math.max(0, bytes - head.length - 2))}"}`;
}

/** Reads a record, or a dead letter with one in it. */
export function readRecord(bytes: Uint8Array): Sighting {
  if (bytes[2] === 0x72) {
    let record = 0;
    for (let i = LEAD.length; bytes[i] !== 0x2c; i++) {
      assert(
        bytes[i] >= 0x30 && bytes[i] <= 0x39,
        `a record is torn: ${decoder.decode(bytes.subarray(0, 60))}`,
      );
      record = record * 10 + bytes[i] - 0x30;
    }
    assert(
      bytes[bytes.length - 1] === 0x7d && bytes[bytes.length - 2] === 0x22,
      `record ${record} has not its own end`,
    );
    return { record, letter: null };
  }
  let letter = JSON.parse(decoder.decode(bytes));
  while (letter.value.startsWith('{"time"')) letter = JSON.parse(letter.value);
  const { stream, sink, reason, attempts, key } = letter;
  return {
    record: readRecord(new TextEncoder().encode(letter.value)).record,
    letter: { stream, sink, reason, attempts, key },
  };
}
