/**
 * The file sink with fsync, against a loop that appends and flushes as many bytes at a time. The group of the loop is
 * the mean batch that the sink wrote in the slice before, so both flush equally often per byte.
 *
 * @module
 */
import { GatewayProcess } from "../../support/gateway_process.ts";
import { freePort } from "../../support/ports.ts";
import type { Program } from "../../support/process.ts";
import { jsonLines } from "../bodies.ts";
import { compare, type Side, type Slice } from "../compare.ts";
import type { Row } from "../row.ts";
import { startYardstick } from "../sides.ts";
import { WrkLoad } from "../wrk.ts";

/** 256 KiB a request: the disk is to be the limit, not the requests. */
const LINES = 256;
const BODY = jsonLines(LINES, 1023);
/** The file is rotated, and what is rotated removed after each slice, so that a run does not fill the disk. */
const ROTATE_BYTES = 256 * 1024 * 1024;
const FILE_NAME = "f.ndjson";

class FileSide implements Side {
  /** Mean bytes per write of the sink in the last slice. */
  groupBytes = 1024 * 1024;
  readonly #gateway: GatewayProcess;
  readonly #folder: string;
  readonly #load: WrkLoad;

  constructor(gateway: GatewayProcess, folder: string, load: WrkLoad) {
    this.#gateway = gateway;
    this.#folder = folder;
    this.#load = load;
  }

  static async start(): Promise<FileSide> {
    const folder = await Deno.makeTempDir({ prefix: "weir_file_" });
    const gateway = await GatewayProcess.start({
      streams: { s: { sinks: ["f"], validate: "none" } },
      sinks: { f: { type: "file", path: `${folder}/${FILE_NAME}`, rotateBytes: ROTATE_BYTES } },
    });
    const request = { path: "/v1/streams/s", contentType: "application/x-ndjson", body: BODY };
    return new FileSide(gateway, folder, await WrkLoad.create({ requests: [request] }));
  }

  async measure(seconds: number): Promise<Slice> {
    const writesBefore = await this.#gateway.metric("weir_sink_write_seconds_count", { sink: "f" });
    const cpuBefore = this.#gateway.program.usage().cpuSeconds;
    const summary = await this.#load.run(this.#gateway.url, seconds);
    const cpuSeconds = this.#gateway.program.usage().cpuSeconds - cpuBefore;
    const writes = await this.#gateway.metric("weir_sink_write_seconds_count", { sink: "f" }) - writesBefore;
    await removeRotated(this.#folder);
    if (summary.refusals + summary.failures > 0) {
      throw new Error(
        `Cannot measure the file sink: ${summary.refusals} of ${summary.answers} answers were refusals`,
      );
    }
    const work = summary.answers * BODY.length;
    if (writes > 0) this.groupBytes = Math.max(1, Math.round(work / writes));
    return { work, seconds: summary.seconds, cpuSeconds };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
    await this.#gateway[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Removes what the sink rotated out of `folder`: all but the file that it writes. */
async function removeRotated(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name !== FILE_NAME) await Deno.remove(`${folder}/${name}`);
  }
}

class AppendSide implements Side {
  readonly #program: Program;
  readonly #port: number;
  readonly #folder: string;
  readonly #groupBytes: () => number;

  constructor(program: Program, port: number, folder: string, groupBytes: () => number) {
    this.#program = program;
    this.#port = port;
    this.#folder = folder;
    this.#groupBytes = groupBytes;
  }

  static async start(groupBytes: () => number): Promise<AppendSide> {
    const [port, folder] = [freePort(), await Deno.makeTempDir({ prefix: "weir_append_" })];
    return new AppendSide(await startYardstick("append", port, [`${folder}/f`]), port, folder, groupBytes);
  }

  async measure(seconds: number): Promise<Slice> {
    const cpuBefore = this.#program.usage().cpuSeconds;
    const query = `groupBytes=${this.#groupBytes()}&seconds=${seconds}`;
    const response = await fetch(`http://127.0.0.1:${this.#port}/?${query}`, { method: "POST" });
    const run: { bytes: number; seconds: number } = await response.json();
    return {
      work: run.bytes,
      seconds: run.seconds,
      cpuSeconds: this.#program.usage().cpuSeconds - cpuBefore,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Bytes per second on disk. */
export const fileFsync: Row = {
  name: "file-fsync",
  async run(options) {
    await using subject = await FileSide.start();
    await using yardstick = await AppendSide.start(() => subject.groupBytes);
    const result = await compare(subject, yardstick, options);
    return [{
      name: "file sink with fsync, NDJSON 256 KiB",
      goal: { kind: "atLeast", value: 0.8, unit: "×" },
      value: result.ratio,
      perCpu: result.perCpuRatio,
      min: result.min,
      max: result.max,
      samples: options.slices,
      detail: {
        "MB/s": Math.round(result.subjectPerSecond / 1e6),
        "yardstick MB/s": Math.round(result.yardstickPerSecond / 1e6),
        "bytes per fsync": subject.groupBytes,
      },
    }];
  },
};
