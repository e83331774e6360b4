/**
 * What `weir check` prints: the effective config as YAML that could be run as it is, and the segment plan below it as
 * comments, so that the whole stays YAML.
 *
 * @module
 */
import { stringify } from "yaml";
import { isMap } from "./key_path.ts";
import { type Config, rootSchema } from "./parse.ts";
import { redact } from "./redact.ts";
import { type SchemaNode, schemaNode } from "./schema_node.ts";
import { type SegmentPlan, writeControl } from "./segment_plan.ts";
import { COMMON_SINK_KEYS, commonSinkSchema, type SinkConfig } from "./sink_schema.ts";
import { sourceSchema } from "./source_schema.ts";
import { type StreamConfig, streamSchema } from "./stream_schema.ts";

/** `config` as YAML with every default and the shares of `plan` written out, and secrets hidden. */
export function effectiveYaml(config: Config, plan: SegmentPlan): string {
  const shares = new Map(plan.streams.map((share) => [share.stream, share]));
  const streamNode = schemaNode(streamSchema);
  const tree = {
    gateway: config.gateway,
    listen: config.listen,
    admin: config.admin,
    buffers: config.buffers,
    streams: Object.fromEntries(
      [...config.streams].map(([name, { name: _, ...stream }]: [string, StreamConfig]) => {
        const share = shares.get(name);
        const whole = { ...stream, minSegments: share?.minSegments, maxSegments: share?.maxSegments };
        return [name, inOrderOf(streamNode, whole)];
      }),
    ),
    sinks: Object.fromEntries([...config.sinks].map(([name, sink]) => [name, sinkTree(sink)])),
    sources: config.sources.size === 0 ? undefined : Object.fromEntries(
      [...config.sources].map((
        [name, { name: _, ...source }],
      ) => [name, inOrderOf(schemaNode(sourceSchema), source)]),
    ),
  };
  return stringify(asWritten(redact("", inOrderOf(schemaNode(rootSchema), tree))), { lineWidth: 110 });
}

/** `plan` as aligned tables of lanes, streams, dead letters and the whole; each line is a YAML comment. */
export function planTables(plan: SegmentPlan): string {
  const lanes = table(
    ["lane", "guaranteed segments", "credits", "exclusive", "floating", "queue limit in buffers"],
    plan.lanes.map((lane) => [
      `${lane.stream} → ${lane.sink}${lane.writer > 0 ? ` #${lane.writer}` : ""}`,
      lane.guaranteed,
      lane.credits,
      lane.exclusive,
      lane.floating,
      lane.maxBuffers,
    ]),
  );
  const streams = table(
    ["stream", "guaranteed segments", "at most", "largest record", "lanes"],
    plan.streams.map((s) => [s.stream, s.minSegments, s.maxSegments, s.recordSegments, s.lanes]),
  );
  const verdict = plan.totalGuaranteed <= plan.segments ? "fits" : "does not fit";
  const whole = [`whole: ${plan.totalGuaranteed} of ${plan.segments} segments are guaranteed; it ${verdict}`];
  const deadLetters = table(
    ["dead letters of", "go to", "segments beside the pool"],
    plan.deadLetters.map(({ sink, target, segments }) => [sink, target ?? "a file under dataDir", segments]),
  );
  return [...lanes, "", ...streams, "", ...deadLetters, "", ...whole].map((line) => `# ${line}`.trimEnd())
    .join("\n") + "\n";
}

/** A sink as it would be written: its type, its own options, the common keys with the hints in `batch` and `control`. */
function sinkTree(sink: SinkConfig): unknown {
  const { name: _, definition, options, batch, weights, type, ...rest } = sink;
  const { maxRecords, maxBytes, lingerMs } = batch;
  const weight = weights.size > 0 ? Object.fromEntries(weights) : undefined;
  const { kind: _kind, ...bounds } = writeControl(sink);
  const common = {
    ...rest,
    control: { ...rest.control, ...bounds },
    batch: { maxRecords, maxBytes, lingerMs },
    weight,
  };
  const own = Object.entries(options as Record<string, unknown>).filter(([key]) =>
    !COMMON_SINK_KEYS.includes(key)
  );
  return {
    type,
    ...inOrderOf(schemaNode(definition.config), Object.fromEntries(own)) as object,
    ...inOrderOf(schemaNode(commonSinkSchema), common) as object,
  };
}

/** `value` with the keys of its maps in the order of `node`, those that it does not know last. */
function inOrderOf(node: SchemaNode, value: unknown): unknown {
  if (!isMap(value) || node.properties === undefined) return value;
  const ordered = Object.entries(node.properties).filter(([key]) => Object.hasOwn(value, key))
    .map(([key, child]): [string, unknown] => [key, inOrderOf(child, value[key])]);
  const further = Object.entries(value).filter(([key]) => !Object.hasOwn(node.properties!, key));
  return Object.fromEntries([...ordered, ...further]);
}

/** `value` as a file would have to say it: nothing for null, and `${` escaped. */
function asWritten(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("${", () => "$${");
  if (Array.isArray(value)) return value.map(asWritten);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
  return Object.fromEntries(kept.map(([key, item]) => [key, asWritten(item)]));
}

/** Columns two blanks apart; the first to the left, numbers to the right. */
function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join(
      "  ",
    )
  );
}
