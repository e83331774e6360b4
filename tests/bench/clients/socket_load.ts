/**
 * Load over WebSockets: `connections` sockets send the same message over and over, as fast as the kernel takes it, or,
 * with `weir.v1`, as far as they are told. Frames are made once and written in blocks, so that the client is no part of
 * what is measured. Prints one line of JSON when `seconds` are over: messages sent,
 * with `weir.v1` those acked, and the seconds that it took.
 *
 * `deno run -A socket_load.ts URL CONNECTIONS BYTES SECONDS [weir.v1]`
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { jsonRecord } from "../bodies.ts";

const [url, connections, bytes, seconds, protocol] = Deno.args;
const target = new URL(url);
const message = new TextEncoder().encode(jsonRecord(Number(bytes)));
/** Messages of a block; of 512 bytes some 64 KiB. */
const PER_BLOCK = 128;
const LARGEST_SHORT = 125;
/** Acks come at most 50 ms after the outcome; this is for a machine that is busy. */
const LAST_ACKS_MS = 5000;

/** One masked text frame (RFC 6455, 5.2); the mask is the same in all, which no server looks at. */
function frame(payload: Uint8Array): Uint8Array {
  const mask = randomBytes(4);
  const isShort = payload.length <= LARGEST_SHORT;
  const head = isShort
    ? [0x81, 0x80 | payload.length]
    : [0x81, 0x80 | 126, payload.length >> 8, payload.length & 255];
  const bytes = new Uint8Array(head.length + 4 + payload.length);
  bytes.set(head);
  bytes.set(mask, head.length);
  for (let i = 0; i < payload.length; i++) bytes[head.length + 4 + i] = payload[i] ^ mask[i & 3];
  return bytes;
}

const one = frame(message);
const block = new Uint8Array(one.length * PER_BLOCK);
for (let i = 0; i < PER_BLOCK; i++) block.set(one, i * one.length);

const startMs = performance.now();
const endMs = startMs + Number(seconds) * 1000;
let sent = 0;
let acked = 0;

async function connect(): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: target.hostname, port: Number(target.port) });
  const lines = [
    `GET ${target.pathname} HTTP/1.1`,
    `Host: ${target.host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
  ];
  if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  await connection.write(new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n"));
  return connection;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

async function sendFreely(): Promise<void> {
  using connection = await connect();
  const answer = new Uint8Array(4096);
  await connection.read(answer);
  while (performance.now() < endMs) {
    await writeAll(connection, block);
    sent += PER_BLOCK;
  }
}

async function sendWithinCredit(): Promise<void> {
  using connection = await connect();
  let credit = 0;
  let creditBytes = 0;
  let ownSent = 0;
  let ownAcked = 0;
  let wake = () => {};
  const told = async (untilMs: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    const timer = setTimeout(resolve, Math.max(1, untilMs - performance.now()));
    await promise;
    clearTimeout(timer);
  };
  const reading = (async () => {
    const decoder = new TextDecoder();
    let text = "";
    for (const chunk = new Uint8Array(65_536);;) {
      const read = await connection.read(chunk);
      if (read === null) return;
      text += decoder.decode(chunk.subarray(0, read), { stream: true });
      // What the server tells is small JSON in frames of its own; the bytes between are heads.
      const whole = text.lastIndexOf("}") + 1;
      for (const [found] of text.slice(0, whole).matchAll(/\{[^}]*\}/g)) {
        const words = JSON.parse(found);
        credit += words.credit ?? 0;
        creditBytes += words.creditBytes ?? 0;
        if (words.ack !== undefined) {
          acked += words.ack - ownAcked;
          ownAcked = words.ack;
        }
      }
      text = text.slice(whole);
      wake();
    }
  })().catch((error) => {
    if (!(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted)) throw error;
  });
  while (performance.now() < endMs) {
    const count = Math.min(PER_BLOCK, credit, Math.floor(creditBytes / message.length));
    if (count <= 0) {
      await told(endMs);
      continue;
    }
    credit -= count;
    creditBytes -= count * message.length;
    await writeAll(connection, block.subarray(0, count * one.length));
    sent += count;
    ownSent += count;
  }
  while (ownAcked < ownSent && performance.now() < endMs + LAST_ACKS_MS) await told(endMs + LAST_ACKS_MS);
  connection.close();
  await reading;
}

const send = protocol ? sendWithinCredit : sendFreely;
await Promise.all(Array.from({ length: Number(connections) }, send));
console.log(JSON.stringify({ sent, acked, seconds: (performance.now() - startMs) / 1000 }));
