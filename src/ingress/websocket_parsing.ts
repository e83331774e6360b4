/**
 * What a `ws` parser holds of messages that are not complete. The library has no public word for it, and without it a
 * thousand clients that each leave out the last byte of a message cannot be counted; so its fields are read here and
 * nowhere else, and are looked for at every connection: an update that renames them fails loudly.
 *
 * @module
 */
import type { Socket } from "node:net";
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import { assert } from "../core/assert.ts";
import { type FrameReader, readFramesByWords } from "./frame_bytes.ts";

/** A connection's parser. */
export interface Parsing {
  /** Bytes of frames and messages that are not complete. */
  readonly unfinishedBytes: number;
  /** Calls `before` and `after` around the parsing of what one read brought; the messages in it are delivered between the two. */
  onChunk(before: () => void, after: () => void): void;
}

/** Fields of the `Receiver` of ws 8. */
interface Receiver extends FrameReader {
  /** Bytes of the frames of a fragmented message so far. */
  readonly _messageLength: number;
}

/** The parser of `socket`, which came over `connection`. */
export function parsingOf(socket: WebSocket, connection: Socket): Parsing {
  const receiver = (socket as unknown as { readonly _receiver: Receiver })._receiver;
  assert(
    typeof receiver?._bufferedBytes === "number" && typeof receiver._messageLength === "number" &&
      typeof receiver._state === "number" && Array.isArray(receiver._buffers) &&
      typeof receiver.consume === "function",
    "ws has a receiver that keeps and counts its bytes as in version 8",
  );
  readFramesByWords(receiver);
  return {
    get unfinishedBytes() {
      return receiver._bufferedBytes + receiver._messageLength;
    },
    onChunk(before, after) {
      connection.prependListener("data", before);
      connection.on("data", after);
    },
  };
}
