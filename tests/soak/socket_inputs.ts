/**
 * Damaged WebSockets: frames that were right, through `ws` and the gateway's own connections and sessions. The socket is
 * a pair of streams in this process: a kernel's would make the inputs a tenth as many and find nothing more.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { Opcode } from "../support/socket_client.ts";
import { FRAMES, join } from "./corpus.ts";
import type { Mutator } from "./mutator.ts";
import type { SoakedGateway, StreamName } from "./soaked_gateway.ts";

/** Codes that may be in a close frame (RFC 6455, 7.4.1): ws answers a client's with the same. */
const CLOSE_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
const END_MS = 20_000;
const MAX_MESSAGES = 6;

/** The server's end of a connection. */
class SoakSocket extends Duplex {
  readonly sent: Uint8Array[] = [];
  readonly ended: Promise<void>;

  constructor() {
    super({ allowHalfOpen: true });
    this.ended = new Promise((resolve) => this.once("close", resolve));
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.sent.push(chunk);
    done();
  }
}

/** Connects, sends damaged frames, and judges what is sent back and how it ends. */
export async function soakSocket(soaked: SoakedGateway, mutator: Mutator): Promise<void> {
  const stream: StreamName = mutator.happens(0.5) ? "plain" : "session";
  const socket = new SoakSocket();
  soaked.gateway.sockets.upgrade(
    requestFor(stream, mutator),
    socket as unknown as Socket,
    mutator.happens(0.1) ? mutator.damaged(mutator.pick(FRAMES), FRAMES) : new Uint8Array(0),
  );
  const frames = Array.from({ length: 1 + mutator.below(MAX_MESSAGES) }, () => mutator.pick(FRAMES));
  for (const piece of mutator.pieces(mutator.damaged(join(...frames), FRAMES))) {
    if (socket.destroyed || socket.readableEnded) break;
    socket.push(piece);
    if (mutator.happens(0.3)) await null;
  }
  if (mutator.happens(0.1)) socket.destroy();
  else if (!socket.destroyed) socket.push(null);
  await deadline(socket.ended, END_MS);
  const answer = join(...socket.sent);
  const head = String.fromCharCode(...answer.subarray(0, 1_000)).split("\r\n\r\n")[0];
  const status = Number(head.split(" ")[1]);
  if (status === 101) {
    const told = judgeFrames(
      answer.subarray(head.length + 4),
      head.includes("Sec-WebSocket-Protocol: weir.v1"),
    );
    soaked.told(stream, told);
  } else {assert(
      [400, 404, 405, 426, 431].includes(status),
      `the upgrade was answered ${JSON.stringify(head)}`,
    );}
}

function requestFor(stream: StreamName, mutator: Mutator): IncomingMessage {
  const headers: Record<string, string> = {
    host: "weir",
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...stream === "session" ? { "sec-websocket-protocol": "weir.v1" } : {},
  };
  if (mutator.happens(0.03)) {
    const name = mutator.pick(["sec-websocket-version", "sec-websocket-key", "sec-websocket-protocol"]);
    headers[name] = mutator.damagedText(headers[name] ?? "weir.v1");
  }
  const query = mutator.happens(0.1) ? mutator.damagedText("?key=a%20b&key=c") : "";
  const url = `/v1/streams/${stream}${query.startsWith("?") ? query : ""}`;
  return { method: "GET", url, headers } as unknown as IncomingMessage;
}

/** Throws unless `bytes` are whole frames of a server, and nothing comes behind a close. Returns the records told as acked. */
function judgeFrames(bytes: Uint8Array, isSession: boolean): number {
  let acked = 0;
  let rejected = 0;
  let isClosed = false;
  for (let at = 0; at < bytes.length;) {
    assert(!isClosed, "nothing is sent behind a close frame");
    const opcode = bytes[at] & 15;
    assertEquals(bytes[at] & 0xf0, 0x80, "a whole frame without reserved bits");
    const isLong = bytes[at + 1] === 126;
    assert(isLong || bytes[at + 1] < 126, "a short frame that is not masked");
    const from = at + (isLong ? 4 : 2);
    const length = isLong ? bytes[at + 2] << 8 | bytes[at + 3] : bytes[at + 1];
    const payload = bytes.subarray(from, from + length);
    assertEquals(payload.length, length, "the frame is whole");
    at = from + length;
    if (opcode === Opcode.TEXT) {
      assert(isSession, "a plain client is told nothing");
      const told = JSON.parse(new TextDecoder().decode(payload));
      if ("ack" in told) acked = told.ack;
      if ("reject" in told) rejected++;
    } else if (opcode === Opcode.CLOSE) {
      isClosed = true;
      const code = length === 0 ? 1000 : payload[0] << 8 | payload[1];
      assert(CLOSE_CODES.includes(code) || (code >= 3_000 && code < 5_000), `closed with ${code}`);
    } else assert(opcode === Opcode.PONG || opcode === Opcode.PING, `a frame of opcode ${opcode}`);
  }
  return Math.max(0, acked - rejected);
}
