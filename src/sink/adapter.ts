/**
 * The sink contract. The lane owns delivery (batching, retry, order, limits, dead letters); an adapter only pushes
 * one batch and classifies what became of each record.
 *
 * Outcome and pressure are apart, because they are independent: Kafka throttles on success, Elasticsearch refuses
 * single items inside a 200.
 *
 * @module
 */
import type { ZodType } from "zod";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { AnswerCounter } from "./status_counts.ts";

/** What became of one record. Numbers, because a batch of them is a `Uint8Array`. */
export const Outcome = {
  /** The sink holds it as safely as it promises. */
  ACKED: 0,
  /** Not stored, or not known to be stored; it may succeed later. */
  RETRYABLE: 1,
  /** The sink will never take it. It goes to the dead letter. */
  REJECTED: 2,
} as const;

/** How hard the sink pushes back, told with every write whatever its outcome. */
export type Pressure =
  | { readonly kind: "none" }
  /** No write of this sink starts for `delayMs`. */
  | { readonly kind: "throttle"; readonly delayMs: number }
  /** The sink refused for load, or did not answer. Controllers lower their limit. */
  | { readonly kind: "saturated" };

/** No pressure. */
export const NO_PRESSURE: Pressure = { kind: "none" };
/** The sink is saturated. */
export const SATURATED: Pressure = { kind: "saturated" };

/** How a write ended. */
export type WriteResult =
  /** One outcome per record, by index; `reasons` for those that were not acked. */
  | {
    readonly kind: "written";
    readonly outcomes: Uint8Array;
    readonly reasons?: ReadonlyMap<number, string>;
    readonly pressure: Pressure;
  }
  /** The sink finds the batch too large as a whole: the lane halves it; a single record is rejected with `reason`. */
  | { readonly kind: "tooLarge"; readonly reason: string; readonly pressure: Pressure };

/**
 * Records to be written, as a cursor over segments. All views (`value`, `key`, `run`, header bytes) point into pool
 * memory and are valid until the promise of `write` settles; an adapter keeps none of them.
 */
export interface Batch {
  /** The stream that the records came from. */
  readonly stream: string;
  /** Number of records, at least 1. */
  readonly count: number;
  /** Sum of the values' bytes. */
  readonly bytes: number;
  /** 1 for the first write of these records, then 2, 3, … */
  readonly attempt: number;
  /** Bytes of value `i`. */
  valueLength(i: number): number;
  /** Value `i`; a view, or a copy when the record spans segments. */
  value(i: number): Uint8Array;
  /** Copies value `i` to `target` at `offset` and returns its length. */
  copyValue(i: number, target: Uint8Array, offset: number): number;
  /** Views of value `i` in order: one, or several when it spans segments. */
  valueParts(i: number): Uint8Array[];
  /** Whether value `i` is known to be one JSON text. */
  isJson(i: number): boolean;
  /** Whether value `i` holds a CR or an LF. */
  hasNewline(i: number): boolean;
  /**
   * The end `j` of the run that begins at `i`: records `i` to `j - 1` stand adjacent in memory, each with an LF behind
   * it and none inside it. `i` itself when record `i` is not of that kind (it spans, holds a newline, or is a binary CloudEvent).
   */
  runEnd(i: number): number;
  /** The bytes of records `i` to `j - 1`, LFs included, where `j` came from `runEnd(i)`. */
  run(i: number, j: number): Uint8Array;
  /** Key `i`, or null. */
  key(i: number): Uint8Array | null;
  /** Hash of key `i` (see `hashKey`); for a record without key, any number. */
  keyHash(i: number): number;
  /** Record headers of record `i`, names in lower case. The array is shared by the records of one request. */
  headers(i: number): readonly (readonly [string, string])[];
  /** Whether record `i` is a CloudEvent in binary mode: its headers hold the `ce-*` attributes and `content-type`. */
  isCloudEvent(i: number): boolean;
  /** The record id: unique, and the same at every attempt. */
  id(i: number): string;
  /** Copies the record id, as UTF-8, to `target` at `offset`; returns its length, or -1 when it has no room there. */
  copyId(i: number, target: Uint8Array, offset: number): number;
  /** When record `i` was accepted, ms since 1970. */
  acceptedAtMs(i: number): number;
}

/** A sink's favourite batch shape, from its config. `batch` in the sink's config overrides the first three. */
export interface SinkHints {
  /** Records per batch at most. */
  readonly maxRecords: number;
  /** Encoded bytes per batch at most: values plus `framingBytes` each. */
  readonly maxBytes: number;
  /** How long a batch that is not full waits for more. 0: not at all. */
  readonly lingerMs: number;
  /** Bytes that the encoding adds to each record, about; what a limit in bytes counts, `encodedBytes` may say better. */
  readonly framingBytes: number;
  /** Writes in flight that one writer of the sink bears. */
  readonly writesInFlight: number;
  /**
   * The sink stores in the order of the calls of `write` also where these overlap, and when one of them fails it fails
   * all that follow until none is in flight. The lane then sends what failed again in its order, before anything else.
   */
  readonly inOrder?: boolean;
}

/** What an adapter is given besides its config. */
export interface SinkContext {
  /** Id of the gateway, from its config. */
  readonly gateway: string;
  /** Name of the sink in the config. */
  readonly sink: string;
  /** 0 to `parallelism - 1`. */
  readonly writer: number;
  /** Writers of this sink in all. */
  readonly writers: number;
  /** Folder for what the sink must keep; it exists. */
  readonly dataDir: string;
  /** Time, so that tests can run it. */
  readonly clock: Clock;
  /** Log lines carry the sink's name. */
  readonly log: Logger;
  /**
   * Tells why a write that goes on has no answer yet, for `readyz` and the log; the next write that ends takes it back.
   * Not there outside a gateway.
   */
  readonly failing?: (reason: string) => void;
  /** Counts what the sink answers, for protocols that have a status per record, batch or request; for metrics alone. */
  readonly answers: AnswerCounter;
}

/** An open sink. */
export interface SinkAdapter {
  /**
   * Pushes one batch. A rejected promise means *unknown*: the lane takes every record as retryable. Must settle soon
   * after `signal` is aborted (the sink's `timeoutMs` is over): until then the records stay in memory.
   * Calls overlap up to `hints.writesInFlight`.
   */
  write(batch: Batch, signal: AbortSignal): WriteResult | Promise<WriteResult>;
  /**
   * Bytes of the body that `write(batch)` would send, before compression. Asked before a write where the sink has a limit
   * in bytes; the write of the same batch mostly follows at once, or the batch is given back and asked about in parts.
   * Without it a record counts as its value and `framingBytes`.
   */
  encodedBytes?(batch: Batch): number;
  /** Resolves when the sink can be reached and would take records; else rejects with what is wrong. */
  check(signal: AbortSignal): void | Promise<void>;
  /** Lets go of everything. No write is in flight but those that did not settle when they were aborted: they end now. */
  close(signal: AbortSignal): void | Promise<void>;
}

/** What a sink needs of the machine, as `deno run` counts it. */
export interface SinkPermissions {
  /** `host:port` that it connects to. */
  readonly net?: readonly string[];
  /** Files and folders that it reads. */
  readonly read?: readonly string[];
  /** Files and folders that it writes. */
  readonly write?: readonly string[];
  /** Variables of the environment that it looks up. */
  readonly env?: readonly string[];
  /** System information, as `hostname`. */
  readonly sys?: readonly string[];
}

/** A kind of sink: what its config is, what batches it likes, and how it opens. */
// deno-lint-ignore no-explicit-any -- a list of sinks of any config is what the registry is
export interface SinkDefinition<C = any> {
  /** Name for `type` in the config. */
  readonly type: string;
  /** Schema of the options beside those that every sink has. A strict zod object. */
  readonly config: ZodType<C>;
  /** The favourite batch shape. */
  hints(config: C): SinkHints;
  /** What it needs of the machine beside `dataDir`; nothing where this is left out. `weir run --print-permissions` adds it up. */
  permissions?(config: C): SinkPermissions;
  /** Connects, or throws with what is wrong; the lane then backs off and tries again. */
  open(config: C, context: SinkContext): SinkAdapter | Promise<SinkAdapter>;
}

/** Declares a kind of sink; the default export of a sink module. */
export function defineSink<C>(definition: SinkDefinition<C>): SinkDefinition<C> {
  return definition;
}

/** A write that ended with every record acked. */
export function allAcked(batch: Batch, pressure: Pressure = NO_PRESSURE): WriteResult {
  return { kind: "written", outcomes: new Uint8Array(batch.count), pressure };
}

/** A write that ended with every record retryable. */
export function allRetryable(batch: Batch, reason: string, pressure: Pressure = SATURATED): WriteResult {
  const reasons = new Map<number, string>();
  for (let i = 0; i < batch.count; i++) reasons.set(i, reason);
  return {
    kind: "written",
    outcomes: new Uint8Array(batch.count).fill(Outcome.RETRYABLE),
    reasons,
    pressure,
  };
}
