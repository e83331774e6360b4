/**
 * Damaged bytes at the data port itself: request lines, heads, chunked bodies and upgrades, over the kernel's sockets.
 *
 * @module
 */
import { assert } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { isConnectionLoss } from "../support/http_client.ts";
import { acceptedOf } from "./answers.ts";
import { FRAMES, join, REQUESTS } from "./corpus.ts";
import type { Mutator } from "./mutator.ts";
import type { SoakedGateway } from "./soaked_gateway.ts";

const encoder = new TextEncoder();
const END_MS = 30_000;
const PATH = "/v1/streams/wire";

const UPGRADE = join(
  encoder.encode(
    `GET ${PATH} HTTP/1.1\r\nHost: weir\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  ),
  FRAMES[0],
);
const MESSAGES: readonly Uint8Array[] = [
  ...REQUESTS.flatMap(({ headers, body, query }) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const head = `POST ${PATH}${query} HTTP/1.1\r\nHost: weir\r\n${lines}`;
    const half = body.length >> 1;
    const size = (bytes: number) => `${bytes.toString(16)}\r\n`;
    return [
      join(encoder.encode(`${head}Content-Length: ${body.length}\r\n\r\n`), body),
      join(
        encoder.encode(`${head}Transfer-Encoding: chunked\r\n\r\n${size(half)}`),
        body.subarray(0, half),
        encoder.encode(`\r\n${size(body.length - half)}`),
        body.subarray(half),
        encoder.encode("\r\n0\r\nTrailer: t\r\n\r\n"),
      ),
    ];
  }),
  encoder.encode(`GET ${PATH} HTTP/1.1\r\nHost: weir\r\n\r\n`),
  UPGRADE,
];

/** Sends a few damaged messages on a connection of their own, and judges what comes back until it ends. */
export async function soakWire(soaked: SoakedGateway, mutator: Mutator): Promise<void> {
  const sound = Array.from({ length: 1 + mutator.below(3) }, () => mutator.pick(MESSAGES));
  const input = mutator.damaged(join(...sound), MESSAGES, 3);
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: soaked.gateway.port });
  try {
    const [answers] = await deadline(
      Promise.all([readAll(socket), send(socket, mutator.pieces(input))]),
      END_MS,
    );
    soaked.told("wire", judge(answers));
  } catch (error) {
    throw new Error(`input ${JSON.stringify(String.fromCharCode(...input))}: ${error}`, { cause: error });
  } finally {
    socket.close();
  }
}

async function send(socket: Deno.TcpConn, pieces: readonly Uint8Array[]): Promise<void> {
  try {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length;) at += await socket.write(piece.subarray(at));
    }
    await socket.closeWrite();
  } catch (error) {
    if (!isConnectionLoss(error) && !(error instanceof Deno.errors.NotConnected)) throw error;
  }
}

async function readAll(socket: Deno.TcpConn): Promise<string> {
  const chunk = new Uint8Array(16_384);
  let text = "";
  try {
    for (let read = await socket.read(chunk); read !== null; read = await socket.read(chunk)) {
      text += String.fromCharCode(...chunk.subarray(0, read));
    }
  } catch (error) {
    if (!isConnectionLoss(error)) throw error;
  }
  return text;
}

/** Throws unless `text` is answers, one after the other; returns the records that they tell as accepted. */
function judge(text: string): number {
  let accepted = 0;
  let rest = text;
  while (rest !== "") {
    const head = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(rest);
    // A reset may cut an answer off; what is there must be the beginning of one.
    if (head === null) {
      assert("HTTP/1.1 ".startsWith(rest.slice(0, 9)), `no answer: ${JSON.stringify(rest)}`);
      return accepted;
    }
    const status = Number(head[1]);
    // Behind it come frames, which the other inputs judge.
    if (status === 101) return accepted;
    // Without a length, as to HTTP/1.0, the answer ends with the connection.
    const declared = /^content-length: (\d+)\r$/im.exec(head[2])?.[1];
    const length = status === 100 ? 0 : Number(declared ?? rest.length - head[0].length);
    const body = rest.slice(head[0].length, head[0].length + length);
    rest = rest.slice(head[0].length + length);
    if (status === 100) continue;
    assert(!/internal|stack|file:\/\//i.test(body), `the answer tells of the inside: ${body}`);
    // What ws says to a handshake that is none is a sentence.
    if (/^content-type: text\/html\r$/im.test(head[2])) assert(status === 400 || status === 405, rest);
    else if (body.length === length && length > 0) accepted += acceptedOf(status, body);
  }
  return accepted;
}
