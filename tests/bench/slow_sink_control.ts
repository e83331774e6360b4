/** The bench's hand on {@link "./slow_sink.ts"}. @module */
import type { RawConfig } from "../support/gateway_process.ts";
import type { SlowSinkReport } from "./slow_sink.ts";

const MODULE = new URL("slow_sink.ts", import.meta.url).pathname;

/** How the slow sink is made. */
export interface SlowSinkOptions {
  readonly recordsPerSecond: number;
  readonly maxRecords?: number;
  readonly controlPort: number;
}

/** A config with one stream `s`, with `stream`'s keys, into the slow sink `slow`. */
export function slowConfig(stream: RawConfig, sink: SlowSinkOptions): RawConfig {
  return {
    streams: { s: { sinks: ["slow"], validate: "none", ...stream } },
    sinks: { slow: { type: MODULE, ...sink } },
  };
}

/** Stalls the sink, lets it go, or only asks it what it took. */
export async function tellSlowSink(
  port: number,
  order: "stall" | "resume" | "report",
): Promise<SlowSinkReport> {
  const response = await fetch(`http://127.0.0.1:${port}/${order}`, { method: "POST" });
  return await response.json();
}
