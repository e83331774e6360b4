/** Bodies of a simulation, in the formats that hold several records, with what is wrong with them. @module */
import type { Chance } from "./chance.ts";
import { recordText } from "./sim_record.ts";

/** A body, and what it holds. */
export interface SimBody {
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** Index of each valid record among the items. */
  readonly indexes: readonly number[];
  /** Keys of the valid records; empty for none. */
  readonly keys: readonly string[];
  /** Records, invalid ones included. */
  readonly items: number;
  readonly invalid: number;
  /** Whether it is longer than what is taken whole or not at all. */
  readonly streams: boolean;
}

/** What bodies of a stream may be. */
export interface BodyRules {
  readonly validates: boolean;
  /** Whether the key stands in the record. */
  readonly keyed: boolean;
  readonly maxRecordBytes: number;
  /** The body's aim, bytes. */
  readonly bodyBytes: number;
  /** Keys to choose from. */
  readonly keys: number;
  /** The key of the whole request, or empty. */
  readonly requestKey: string;
  readonly wholeBytes: number;
}

const encoder = new TextEncoder();

/** A body of records from number `first` on. */
export function makeBody(chance: Chance, first: number, rules: BodyRules): SimBody {
  if (chance.happens(0.005)) return brokenBody(chance.pick(["", '{"a":', "[1, 2", "{} {}"]));
  const kind = chance.pick(["lines", "lines", "lines", "array", "octets", "object"] as const);
  const single = kind === "octets" || kind === "object";
  const texts: string[] = [];
  const indexes: number[] = [];
  const keys: string[] = [];
  let bytes = 0;
  let invalid = 0;
  do {
    const rare = chance.next();
    if (rare < 0.02 && kind === "lines" && rules.validates) {
      texts.push('{"broken": ');
      invalid++;
    } else {
      const own = rules.keyed && chance.happens(0.8) ? `k${chance.whole(1, rules.keys)}` : "";
      const size = rare > 0.997
        ? rules.maxRecordBytes + 1
        : chance.happens(0.1)
        ? chance.whole(40, rules.maxRecordBytes)
        : chance.whole(40, Math.min(rules.maxRecordBytes, 150));
      const text = recordText(first + indexes.length, own, size);
      indexes.push(texts.length);
      keys.push(rules.requestKey !== "" ? rules.requestKey : own);
      texts.push(text);
    }
    bytes += texts[texts.length - 1].length + 1;
  } while (!single && bytes < rules.bodyBytes);
  const text = kind === "array" ? `[${texts.join(",")}]` : texts.join("\n");
  return {
    contentType: kind === "lines"
      ? "application/x-ndjson"
      : kind === "octets"
      ? "application/octet-stream"
      : "application/json",
    bytes: encoder.encode(text),
    indexes,
    keys,
    items: texts.length,
    invalid,
    streams: text.length > rules.wholeBytes,
  };
}

/** A body that is no JSON: nothing of it is taken. */
function brokenBody(text: string): SimBody {
  const bytes = encoder.encode(text);
  return {
    contentType: "application/json",
    bytes,
    indexes: [],
    keys: [],
    items: 0,
    invalid: 0,
    streams: false,
  };
}

/** Cuts `bytes` at borders that `chance` chooses: one piece, few, or very many small ones. */
export function cutChunks(chance: Chance, bytes: Uint8Array): Uint8Array[] {
  if (chance.happens(0.6)) return [bytes.slice()];
  const most = chance.happens(0.15) ? 40 : Math.max(200, bytes.length >> chance.whole(0, 4));
  const chunks: Uint8Array[] = [];
  // More than a hundred pieces tell nothing new.
  const least = Math.ceil(bytes.length / 100);
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + Math.max(least, chance.whole(1, most)));
    chunks.push(bytes.slice(at, end));
    at = end;
  }
  return chunks;
}
