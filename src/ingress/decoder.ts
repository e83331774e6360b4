/**
 * Content-Encoding, by `node:zlib` streams: they give 16–64 KiB at a time and stop on demand, so that a bomb of 1 GB
 * is counted while it unfolds and is never in memory.
 *
 * @module
 */
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import type { Transform } from "node:stream";
import { reportFaults } from "./decoder_faults.ts";

/**
 * Memory that one decoder may hold: its window and its output. gzip and deflate have 32 KiB windows; brotli up to 16 MiB
 * (RFC 7932, 9.1); zstd is held to 8 MiB, as RFC 8878 (3.1.1.1.2) advises decoders to support.
 */
const WINDOW_BYTES: Readonly<Record<string, number>> = {
  gzip: 128 * 1024,
  deflate: 128 * 1024,
  br: 16 * 1024 * 1024,
  zstd: 8 * 1024 * 1024,
};

/**
 * Written behind a brotli body: this runtime ends a brotli stream that was cut off as if it were whole (gzip, deflate and
 * zstd report it), but only one that is not whole takes another byte.
 */
const BEHIND_THE_END = new Uint8Array(1);

/** What all decoders may hold together. */
export class DecoderBudget {
  /** Bytes in all. */
  readonly maxBytes: number;
  /** Bytes taken. */
  usedBytes = 0;

  /** `maxBytes` is `buffers.decoderBytes`. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Takes what a decoder of `encoding` needs; 0 when there is not enough. The first one always fits. */
  take(encoding: string): number {
    const bytes = WINDOW_BYTES[encoding];
    if (this.usedBytes > 0 && this.usedBytes + bytes > this.maxBytes) return 0;
    this.usedBytes += bytes;
    return bytes;
  }

  /** Gives back what `take` gave. */
  giveBack(bytes: number): void {
    this.usedBytes -= bytes;
  }
}

/** A body decoder: bytes in, decoded chunks out. */
export class BodyDecoder {
  readonly #stream: Transform & { readonly bytesWritten: number };
  readonly #isBrotli: boolean;
  readonly #budget: DecoderBudget;
  #charged: number;
  #givenBytes = 0;

  /** `charged` was taken from `budget` and goes back on `close`. */
  constructor(
    encoding: string,
    budget: DecoderBudget,
    charged: number,
    on: { chunk(bytes: Uint8Array): void; end(): void; error(reason: string): void; drain(): void },
  ) {
    this.#budget = budget;
    this.#charged = charged;
    this.#stream = create(encoding);
    reportFaults(this.#stream);
    this.#isBrotli = encoding === "br";
    this.#stream.on("data", (bytes: Uint8Array) => {
      if (!this.#isCutOff) on.chunk(bytes);
    });
    this.#stream.on("end", () => this.#isCutOff ? on.error("unexpected end") : on.end());
    this.#stream.on("drain", () => on.drain());
    this.#stream.on("error", (error: Error) => on.error(error.message));
  }

  /** Gives encoded bytes; false: no more until `drain`. */
  write(bytes: Uint8Array): boolean {
    this.#givenBytes += bytes.length;
    return this.#stream.write(bytes);
  }

  /** The encoded body is complete. */
  end(): void {
    if (this.#isBrotli) this.#stream.write(BEHIND_THE_END);
    this.#stream.end();
  }

  /** Stops the decoded chunks. */
  pause(): void {
    this.#stream.pause();
  }

  /** Lets them come. */
  resume(): void {
    this.#stream.resume();
  }

  /** Whether the decoder took more than the body. */
  get #isCutOff(): boolean {
    return this.#isBrotli && this.#stream.bytesWritten > this.#givenBytes;
  }

  /** Frees the window. */
  close(): void {
    this.#stream.removeAllListeners("data");
    this.#stream.on("error", ignore);
    this.#stream.destroy();
    this.#budget.giveBack(this.#charged);
    this.#charged = 0;
  }
}

/** A decoder that was closed in the middle reports that; nobody is left to tell. */
function ignore(): void {}

function create(encoding: string): Transform & { readonly bytesWritten: number } {
  switch (encoding) {
    case "gzip":
      return createGunzip();
    case "deflate":
      return createInflate();
    case "br":
      return createBrotliDecompress();
    default:
      return createZstdDecompress();
  }
}
