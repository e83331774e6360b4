/**
 * The config of a gateway that was given none: what is posted to `events` ends in a file. It makes the first `curl`
 * work, and shows with `weir check` what a config looks like.
 *
 * @module
 */
import type { SinkDefinition } from "../sink/adapter.ts";
import { type Config, parseConfig, type ParseOptions } from "./parse.ts";
import type { RawConfig } from "./text.ts";

/** The embedded default as it would be written. */
export const DEFAULT_CONFIG: RawConfig = {
  streams: { events: { sinks: ["archive"] } },
  sinks: { archive: { type: "file", path: "data/archive/events.ndjson" } },
};

/** The embedded default, parsed; `sinkDefinitions` must hold `file`. */
export function defaultConfig(sinkDefinitions: readonly SinkDefinition[], options?: ParseOptions): Config {
  return parseConfig(DEFAULT_CONFIG, sinkDefinitions, options);
}
