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
import { type FrameReader, GET_DATA, readFramesByWords } from "./frame_bytes.ts";

/** Of what is forgotten at a time. */
const PIECE_BYTES = 4_096;
/** Opcodes from here on are control frames (RFC 6455, 5.5). */
const FIRST_CONTROL_OPCODE = 8;

/** A connection's parser. */
export interface Parsing {
  /** Bytes of frames and messages that are not complete. */
  readonly unfinishedBytes: number;
  /** Those of them that are payload of a message: what is here of a ping or a pong is none. */
  readonly partialBytes: number;
  /** Calls `before` and `after` around the parsing of what one read brought; the messages in it are delivered between the two. */
  onChunk(before: () => void, after: () => void): void;
}

/** Fields of the `Receiver` of ws 8. */
interface Receiver extends FrameReader {
  /** Bytes of the frames of a fragmented message so far. */
  readonly _messageLength: number;
  /** Of the frame that is read now, or the last one. */
  readonly _opcode: number;
}

/** The parser of `socket`, which came over `connection`. */
export function parsingOf(socket: WebSocket, connection: Socket): Parsing {
  const receiver = (socket as unknown as { readonly _receiver: Receiver })._receiver;
  assert(
    typeof receiver?._bufferedBytes === "number" && typeof receiver._messageLength === "number" &&
      typeof receiver._state === "number" && typeof receiver._opcode === "number" &&
      Array.isArray(receiver._buffers) &&
      typeof receiver.consume === "function",
    "ws has a receiver that keeps and counts its bytes as in version 8",
  );
  readFramesByWords(receiver);
  connection.prependListener("close", () => forgetUnread(connection));
  return {
    get unfinishedBytes() {
      return receiver._bufferedBytes + receiver._messageLength;
    },
    get partialBytes() {
      const inMessage = receiver._state === GET_DATA && receiver._opcode < FIRST_CONTROL_OPCODE;
      return receiver._messageLength + (inMessage ? receiver._bufferedBytes : 0);
    },
    onChunk(before, after) {
      connection.prependListener("data", before);
      connection.on("data", after);
    },
  };
}

/**
 * When a socket that is not read is cut, ws reads all that it had buffered as one copied chunk, and parses it; nothing of
 * that can enter the stream any more, and a thousand clients that vanish together would take 150 MB once more (measured).
 */
function forgetUnread(connection: Socket): void {
  // Pieces of a chunk are views of it; all at once would be a copy.
  while (connection.readableLength > 0) connection.read(Math.min(connection.readableLength, PIECE_BYTES));
}
