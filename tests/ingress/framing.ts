/**
 * Runs a framer over a body cut in any way, with segments that come late, and reads back what it wrote. Beside it the
 * plain reference: the same rules over the whole body at once, by `JSON.parse` and string functions.
 *
 * @module
 */
import { assert } from "@std/assert";
import { NetworkBufferPool } from "../../src/buffer/network_buffer_pool.ts";
import { PointerScanner } from "../../src/core/json_pointer.ts";
import { hashKey, plainMeta, SlotFlag } from "../../src/core/record.ts";
import { REQUIRED_NAMES } from "../../src/ingress/event_rules.ts";
import type { Framer, FramerFailure, FramerOptions } from "../../src/ingress/framer.ts";
import { JsonFramer, type JsonShape } from "../../src/ingress/json_framer.ts";
import { LinesFramer } from "../../src/ingress/lines_framer.ts";
import { OctetFramer } from "../../src/ingress/octet_framer.ts";
import { ResultPartition } from "../../src/partition/result_partition.ts";
import { ReadingLane } from "../partition/reading_lane.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** How a body is read. */
export interface Reading {
  readonly format: JsonShape | "lines" | "octets";
  readonly validate?: boolean;
  readonly pointer?: string;
  readonly sharedKey?: string;
  /** Members that every record must have, as CloudEvents do. */
  readonly isEvent?: boolean;
  readonly maxRecordBytes?: number;
}

/** A record as a sink sees it; bytes as latin1, so that they compare and print well. */
export interface SeenRecord {
  readonly value: string;
  readonly key: string | null;
  readonly isJson: boolean;
  readonly hasNewline: boolean;
}

/** What became of a body. */
export interface Framed {
  readonly records: readonly SeenRecord[];
  /** Indexes of the records that were refused. */
  readonly rejected: readonly number[];
  readonly failure: FramerFailure["kind"] | null;
}

/** How it comes in. */
export interface Arrival {
  readonly segmentBytes: number;
  /** Sorted places at which the body is cut. */
  readonly cuts: readonly number[];
  /** Whether the last bytes come with the end, or the end alone. */
  readonly endsAlone: boolean;
  /** Called at every request for a segment; true: none now. */
  readonly starves: () => boolean;
  /** Called behind every chunk; true: what is ended is handed over. */
  readonly handsOver: () => boolean;
}

/** All at once, with memory for everything. */
export const WHOLE: Arrival = {
  segmentBytes: 32_768,
  cuts: [],
  endsAlone: false,
  starves: () => false,
  handsOver: () => false,
};

const SEGMENT_BUDGET_BYTES = 1 << 20;
const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as a string of one character each. */
export function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** The bytes of such a string. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function framerOf({ format, validate = true, pointer, isEvent, maxRecordBytes = 1 << 20 }: Reading): Framer {
  const options: FramerOptions = {
    validateJson: validate,
    maxRecordBytes,
    keyPointer: pointer === undefined ? null : new PointerScanner(pointer),
    required: isEvent ? REQUIRED_NAMES.map((name) => new PointerScanner(`/${name}`)) : [],
  };
  switch (format) {
    case "lines":
      return new LinesFramer(options);
    case "octets":
      return new OctetFramer(options);
    default:
      return new JsonFramer(options, format);
  }
}

/** Frames `body` as it arrives, and reads the records from the lane. Segments all come home, whatever happened. */
export function frame(
  body: Uint8Array,
  reading: Reading,
  arrival: Arrival,
): Framed & { readonly detail: string } {
  const { segmentBytes } = arrival;
  const segments = Math.ceil(SEGMENT_BUDGET_BYTES / segmentBytes);
  const network = new NetworkBufferPool({ segments, segmentBytes });
  const pool = network.createLocalPool({ name: "s", minSegments: segments });
  const lane = new ReadingLane(0, { sink: "out", maxBuffers: 1e6, channel: pool.openChannel(1e6) });
  const partition = new ResultPartition({
    stream: "s",
    pool,
    lanes: [lane.input],
    clock: new ManualClock(),
    notify: () => {},
  });
  const key = encoder.encode(reading.sharedKey ?? "");
  const meta = { ...plainMeta(1_700_000_000_000), key };
  const writing = partition.bodyWriter(() => arrival.starves() ? null : pool.tryRequest(), meta);
  const framer = framerOf(reading);
  const isShared = key.length > 0;
  framer.begin(
    writing.writer,
    isShared ? hashKey(key, 0, key.length) : -1,
    isShared ? SlotFlag.KEY_SHARED : 0,
  );

  const places = [0, ...arrival.cuts.filter((cut) => cut > 0 && cut < body.length), body.length];
  const chunks = places.slice(1).map((to, k) => body.slice(places[k], to));
  if (arrival.endsAlone) chunks.push(new Uint8Array(0));
  for (const [k, chunk] of chunks.entries()) {
    const last = k === chunks.length - 1;
    let at = 0;
    for (let tries = 0; framer.failure === null; tries++) {
      assert(tries < 10_000, `no progress at byte ${at} of chunk ${k}`);
      at = framer.push(chunk, at, chunk.length, last);
      framer.writer.flushCopies();
      if (at === chunk.length && framer.done) break;
    }
    if (framer.failure !== null) break;
    // What was pushed may be overwritten: the socket's next chunk may come in the same memory.
    const length = chunk.length;
    chunk.fill(0xff);
    framer.chunkConsumed(length);
    if (!last && arrival.handsOver()) partition.handOver(writing, null, false);
  }
  if (framer.failure !== null && framer.writer.inRecord) framer.writer.abortRecord();
  framer.writer.flushCopies();
  partition.handOver(writing, null, true);
  partition.close();
  const batch = lane.read();
  const records: SeenRecord[] = [];
  for (let i = 0; batch !== null && i < batch.count; i++) {
    const keyBytes = batch.key(i);
    records.push({
      value: latin1(batch.value(i)),
      key: keyBytes === null ? null : latin1(keyBytes),
      isJson: batch.isJson(i),
      hasNewline: batch.hasNewline(i),
    });
  }
  if (batch !== null) lane.settleAll(batch);
  assert(pool.lentSegments === 0, `${pool.lentSegments} segments did not come home`);
  assert(framer.rejectedCount + records.length === framer.index, "every index is a record or a refusal");
  return {
    records,
    rejected: framer.rejected.map(({ index }) => index),
    failure: framer.failure?.kind ?? null,
    detail: framer.failure?.detail ?? "",
  };
}

/** The same by the plain rules, over the whole body. Records before a failure are left out: nothing is promised of them. */
export function reference(body: Uint8Array, reading: Reading): Framed {
  const { format, validate = true, maxRecordBytes = 1 << 20 } = reading;
  const values = format === "lines"
    ? linesOf(latin1(body))
    : format === "octets"
    ? body.length === 0 ? [] : [latin1(body)]
    : valuesOf(body, format);
  if (values === null) return FAILED;
  const records: SeenRecord[] = [];
  const rejected: number[] = [];
  for (const [index, value] of values.entries()) {
    const parsed = format === "lines" && !validate ? undefined : parse(value);
    const isJson = parsed !== undefined;
    if (!isJson && (validate && format !== "lines")) return FAILED;
    if (!isJson && validate) {
      rejected.push(index);
      continue;
    }
    if (value.length > maxRecordBytes) return { ...FAILED, failure: "record-too-large" };
    const key = keyOf(value, reading);
    const lacks = reading.isEvent &&
      REQUIRED_NAMES.some((name) =>
        !isAttribute(name, (parsed?.value as Record<string, unknown> | null)?.[name])
      );
    if (lacks || (key !== null && key.length > 1024)) {
      rejected.push(index);
      continue;
    }
    records.push({
      value,
      key: key === "" ? null : key,
      isJson: isJson && (validate || (format !== "lines" && format !== "octets")),
      hasNewline: /[\r\n]/.test(value),
    });
  }
  return { records, rejected, failure: null };
}

const FAILED: Framed = { records: [], rejected: [], failure: "bad" };

function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.endsWith("\r") ? line.slice(0, -1) : line).filter((line) =>
    line !== ""
  );
}

/** The slices of a JSON text; null when it is none. */
function valuesOf(body: Uint8Array, shape: JsonShape): string[] | null {
  const text = latin1(body);
  if (/^[ \t\r\n]*$/.test(text)) return [];
  const parsed = parse(text);
  if (parsed === undefined) return null;
  const trimmed = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  if (shape === "single" || !trimmed.startsWith("[")) return shape === "array" ? null : [trimmed];
  const values: string[] = [];
  let depth = 0;
  let inString = false;
  let from = 1;
  for (let k = 1; k < trimmed.length; k++) {
    const character = trimmed[k];
    if (inString) {
      if (character === "\\") k++;
      else if (character === '"') inString = false;
      continue;
    }
    if (character === '"') inString = true;
    else if (character === "[" || character === "{") depth++;
    else if (depth > 0 && (character === "]" || character === "}")) depth--;
    else if (depth === 0 && (character === "," || character === "]")) {
      values.push(trimmed.slice(from, k).replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, ""));
      from = k + 1;
    }
  }
  return values.length === 1 && values[0] === "" ? [] : values;
}

function parse(bytes: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(utf8.decode(bytesOf(bytes))) };
  } catch {
    // No JSON, or no UTF-8: both are what this function tells.
    return undefined;
  }
}

function keyOf(value: string, { pointer, sharedKey }: Reading): string | null {
  if (sharedKey !== undefined) return latin1(encoder.encode(sharedKey));
  if (pointer === undefined) return null;
  const scalar = scalarAt(parse(value)?.value, pointer);
  return scalar === null ? null : latin1(encoder.encode(scalar));
}

function isAttribute(name: string, value: unknown): boolean {
  if (typeof value !== "string" || value === "" || encoder.encode(value).length > 1024) return false;
  return name !== "specversion" || value === "1.0";
}

/** The string, number or boolean at a pointer, as text. */
function scalarAt(value: unknown, pointer: string): string | null {
  let at = value;
  for (
    const name of pointer.slice(1).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
  ) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return null;
    at = (at as Record<string, unknown>)[name];
  }
  return typeof at === "string" || typeof at === "number" || typeof at === "boolean" ? String(at) : null;
}
