/**
 * The config: read, checked, explained. The schemas stand in `config/`, one file a section, right above the types
 * that they feed.
 *
 * @module
 */
export { type Config, parseConfig, type ParseOptions } from "./config/parse.ts";
export { DEFAULT_CONFIG, defaultConfig } from "./config/defaults.ts";
export {
  type ConfigIo,
  loadConfig,
  loadConfigFile,
  loadModuleSinks,
  moduleSinkTypes,
} from "./config/load.ts";
export { parseConfigText, type RawConfig, type TextOptions } from "./config/text.ts";
export { type Environment } from "./config/interpolate.ts";
export {
  type AdminConfig,
  type BuffersConfig,
  type GatewayConfig,
  type ListenConfig,
  type TlsConfig,
} from "./config/sections.ts";
export { type StreamConfig } from "./config/stream_schema.ts";
export { type SourceConfig } from "./config/source_schema.ts";
export { type SinkConfig } from "./config/sink_schema.ts";
export { type LimitConfig, limitFaults } from "./config/limit_schema.ts";
export { type DeadLetterPlan, planDeadLetters } from "./config/dead_letter_plan.ts";
export {
  draftSegments,
  type LanePlan,
  planSegments,
  type SegmentPlan,
  segmentsOfRecord,
  type StreamPlan,
  writeControl,
  writesInFlight,
} from "./config/segment_plan.ts";
export { type ConfigRow, describeConfig, jsonSchema } from "./config/describe.ts";
export { effectiveYaml, planTables } from "./config/report.ts";
