/** A config of `examples/` as the file has it, but on free ports, so that many gateways run side by side. @module */
import { parse } from "yaml";

const FOLDER = new URL("../../examples/", import.meta.url).pathname;

/** What a test may change in it: places of its own, nothing that the example is about. */
export interface ExampleConfig {
  admin: Record<string, unknown>;
  streams: Record<string, Record<string, unknown>>;
  sinks: Record<string, Record<string, unknown>>;
  sources: Record<string, Record<string, unknown>>;
  readonly [section: string]: unknown;
}

/** The config of `examples/NAME`. */
export async function exampleConfig(name: string): Promise<ExampleConfig> {
  const { listen: _, ...config } = parse(await Deno.readTextFile(FOLDER + name));
  delete config.admin?.port;
  return config;
}
