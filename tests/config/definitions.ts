/** Kinds of sinks for config tests: schemas and hints as real ones have them, and no way to open them. @module */
import { z } from "zod";
import { defineSink, type SinkDefinition, type SinkHints } from "../../src/sink/adapter.ts";

const HINTS: SinkHints = {
  maxRecords: 1000,
  maxBytes: 1_048_576,
  lingerMs: 5,
  framingBytes: 1,
  writesInFlight: 1,
};

function closed<T>(): T {
  throw new Error("a config test opens no sink");
}

/** `file`: one write in flight. */
export const fileSink = defineSink({
  type: "file",
  config: z.strictObject({
    path: z.string().min(1).describe("File to append to"),
    rotateBytes: z.int().min(1).optional().describe("Start a new file at this size"),
    fsync: z.boolean().default(true).describe("Flush before an ack"),
    framing: z.enum(["lines", "length", "base64"]).default("lines").describe("How records are told apart"),
  }),
  hints: () => HINTS,
  open: closed,
});

/** `http`: many writes in flight. */
export const httpSink = defineSink({
  type: "http",
  config: z.strictObject({
    url: z.url().describe("Where batches are sent"),
    method: z.enum(["POST", "PUT"]).default("POST").describe("Method"),
    format: z.enum(["ndjson", "array"]).default("ndjson").describe("Form of the body"),
    headers: z.record(z.string(), z.string()).default({}).describe("Further headers"),
    compress: z.boolean().default(false).describe("Send bodies in gzip"),
  }),
  hints: () => ({ ...HINTS, writesInFlight: 8 }),
  open: closed,
});

/** `stdout`: no options. */
export const stdoutSink = defineSink({
  type: "stdout",
  config: z.strictObject({}),
  hints: () => HINTS,
  open: closed,
});

/** All of them. */
export const SINKS: readonly SinkDefinition[] = [fileSink, stdoutSink, httpSink];
