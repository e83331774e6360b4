/**
 * The sinks that Weir brings along. A new one is one file here, one test, and one line in this list.
 *
 * @module
 */
import type { SinkDefinition } from "../src/sink/adapter.ts";
import { fileSink } from "./file.ts";
import { elasticsearchSink } from "./elasticsearch.ts";
import { kafkaSink } from "./kafka.ts";
import { httpSink } from "./http.ts";
import { memorySink } from "./memory.ts";
import { stdoutSink } from "./stdout.ts";

/** Kinds that `type` in a sink's config may name. */
export const builtInSinks: readonly SinkDefinition[] = [
  fileSink,
  stdoutSink,
  httpSink,
  elasticsearchSink,
  kafkaSink,
  memorySink,
];
