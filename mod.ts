/**
 * Weir, an edge stream gateway: records come in over HTTP, go through bounded buffer pools with credit-based flow
 * control, and out to sinks. What is acknowledged is stored; memory is bounded whatever clients send; one slow part
 * slows only its own users; and anyone can see which part it is.
 *
 * This module is the library. Run as a program it is the command: `deno run -A mod.ts run --config weir.yaml`.
 *
 * @example
 * ```ts
 * import { createGateway, defineSink } from "./mod.ts";
 *
 * await using gateway = await createGateway({
 *   streams: { events: { sinks: ["archive"] } },
 *   sinks: { archive: { type: "file", path: "data/events.ndjson" } },
 * });
 * await gateway.start();
 * ```
 *
 * @module
 */
export { createGateway, type GatewayOptions, type UpgradeSource, type WeirGateway } from "./src/gateway.ts";
export type { StopReport } from "./src/lifecycle.ts";
export type { ReloadReport } from "./src/reload.ts";
export type { NameChanges, UnitChanges } from "./src/units.ts";
export type {
  AdminConfig,
  BuffersConfig,
  Config,
  GatewayConfig,
  LimitConfig,
  ListenConfig,
  SinkConfig,
  SourceConfig,
  StreamConfig,
  TlsConfig,
} from "./src/config.ts";
export {
  allAcked,
  allRetryable,
  type Batch,
  defineSink,
  NO_PRESSURE,
  Outcome,
  type Pressure,
  SATURATED,
  type SinkAdapter,
  type SinkContext,
  type SinkDefinition,
  type SinkHints,
  type SinkPermissions,
  type WriteResult,
} from "./src/sink/adapter.ts";
export type { AnswerCounter } from "./src/sink/status_counts.ts";
export {
  NetworkBufferPool,
  SegmentTimeoutError,
  type SegmentWait,
} from "./src/buffer/network_buffer_pool.ts";
export {
  LocalBufferPool,
  type LocalPoolOptions,
  type PoolChannel,
  type SegmentListener,
} from "./src/buffer/local_buffer_pool.ts";
export type { Segment, SegmentOwner } from "./src/buffer/segment.ts";
export { type Limits, TokenBucket } from "./src/limit/token_bucket.ts";
export {
  createWriteController,
  WRITE_CONTROL_KINDS,
  type WriteControl,
  type WriteControlKind,
} from "./src/limit/controllers.ts";
export type { ControlBounds, WriteController, WriteSample } from "./src/limit/write_controller.ts";
export { StaticController } from "./src/limit/static_controller.ts";
export { AimdController } from "./src/limit/aimd_controller.ts";
export { ArcController } from "./src/limit/arc_controller.ts";
export { GradientController } from "./src/limit/gradient_controller.ts";
export { PidController, type PidOptions, type PidSample } from "./src/limit/pid_controller.ts";
export { WatermarkController, type WatermarkOptions } from "./src/limit/watermark_controller.ts";
export { type Clock, systemClock, type Timer } from "./src/core/clock.ts";
export type { LogFields, Logger, LogLevel } from "./src/core/log.ts";
export {
  ClosedError,
  ConfigError,
  InsufficientSegmentsError,
  InvariantError,
} from "./src/core/all_errors.ts";

import { runAsProgram } from "./src/program.ts";

// Not awaited: a sink module that imports this one would wait for the command, and the command for it.
if (import.meta.main) void runAsProgram();
