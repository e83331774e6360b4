/**
 * The file sink with fsync, against a loop that appends and flushes as many bytes at a time. The group of the loop is
 * the mean batch that the sink wrote in the slice before, so both flush equally often per byte.
 *
 * @module
 */
import { jsonLines } from "../bodies.ts";
import { compare, ratioOf, type Side, type Slice } from "../compare.ts";
import type { Row } from "../row.ts";
import { WorkerSide, WritingSide } from "../sides.ts";

/** 256 KiB a request: the disk is to be the limit, not the requests. */
const LINES = 256;
const BODY = jsonLines(LINES, 1023);
/** The file is rotated, and what is rotated removed after each slice, so that a run does not fill the disk. */
const ROTATE_BYTES = 256 * 1024 * 1024;
const FIRST_GROUP_BYTES = 1024 * 1024;
const FILE_NAME = "f.ndjson";

/** The gateway, and the folder that it writes to. */
class FileSide implements Side {
  readonly #side: WritingSide;
  readonly #folder: string;

  private constructor(side: WritingSide, folder: string) {
    this.#side = side;
    this.#folder = folder;
  }

  static async start(): Promise<FileSide> {
    const folder = await Deno.makeTempDir({ prefix: "weir_file_" });
    const side = await WritingSide.start({
      config: {
        streams: { s: { sinks: ["f"], validate: "none" } },
        sinks: { f: { type: "file", path: `${folder}/${FILE_NAME}`, rotateBytes: ROTATE_BYTES } },
      },
      sink: "f",
      load: { requests: [{ path: "/v1/streams/s", contentType: "application/x-ndjson", body: BODY }] },
      workPerRequest: BODY.length,
      workPerWrite: FIRST_GROUP_BYTES,
    });
    return new FileSide(side, folder);
  }

  /** Mean bytes per write of the sink in the last slice. */
  get groupBytes(): number {
    return this.#side.workPerWrite;
  }

  async measure(seconds: number): Promise<Slice> {
    const slice = await this.#side.measure(seconds);
    await removeRotated(this.#folder);
    return slice;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#side[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Removes what the sink rotated out of `folder`: all but the file that it writes. */
async function removeRotated(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name !== FILE_NAME) await Deno.remove(`${folder}/${name}`);
  }
}

/** Bytes per second on disk. */
export const fileFsync: Row = {
  name: "file-fsync",
  async run(options) {
    const folder = await Deno.makeTempDir({ prefix: "weir_append_" });
    try {
      await using subject = await FileSide.start();
      await using yardstick = await WorkerSide.start(
        "append",
        [`${folder}/f`],
        () => ({ groupBytes: subject.groupBytes }),
      );
      const comparison = await compare(subject, yardstick, options);
      return [ratioOf(comparison, {
        name: "file sink with fsync, NDJSON 256 KiB",
        leastRatio: 0.8,
        unit: "MB",
        workPerUnit: 1e6,
        samples: options.slices,
        detail: { "bytes per fsync": subject.groupBytes },
      })];
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};
