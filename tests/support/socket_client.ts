/**
 * A WebSocket client of raw frames (RFC 6455, 5.2), for what a well-behaved one cannot be made to do: frames that break
 * the rules, messages that never end, clients that do not read. What the server sends is kept frame by frame.
 *
 * @module
 */
import { randomBytes } from "node:crypto";

/** Opcodes. */
export const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** A frame from the server. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** How a frame is made. */
export interface FrameOptions {
  readonly opcode?: number;
  /** False: more frames of the message follow. */
  readonly fin?: boolean;
  /** The three reserved bits. */
  readonly rsv?: number;
  /** False breaks the rule that clients mask. */
  readonly masked?: boolean;
  /** A length that is not the payload's own. */
  readonly declaredLength?: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of a frame. */
export function frameOf(payload: Uint8Array | string, options: FrameOptions = {}): Uint8Array<ArrayBuffer> {
  const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  const { opcode = Opcode.TEXT, fin = true, rsv = 0, masked = true } = options;
  const length = options.declaredLength ?? bytes.length;
  const head = [(fin ? 0x80 : 0) | rsv << 4 | opcode];
  const maskBit = masked ? 0x80 : 0;
  if (length < 126) head.push(maskBit | length);
  else if (length < 65_536) head.push(maskBit | 126, length >> 8, length & 255);
  else {head.push(
      maskBit | 127,
      0,
      0,
      0,
      0,
      length >>> 24,
      length >> 16 & 255,
      length >> 8 & 255,
      length & 255,
    );}
  const mask = masked ? randomBytes(4) : new Uint8Array(0);
  const frame = new Uint8Array(head.length + mask.length + bytes.length);
  frame.set(head);
  frame.set(mask, head.length);
  for (let i = 0; i < bytes.length; i++) {
    frame[head.length + mask.length + i] = masked ? bytes[i] ^ mask[i & 3] : bytes[i];
  }
  return frame;
}

/** What the server answered instead of an upgrade. */
export class UpgradeRefused extends Error {
  /** The status line's number. */
  readonly status: number;
  /** Head and body. */
  readonly answer: string;

  constructor(answer: string) {
    super(`the upgrade was answered: ${answer.split("\r\n")[0]}`);
    this.status = Number(answer.split(" ")[1]);
    this.answer = answer;
  }
}

/** How a client connects. */
export interface ConnectOptions {
  readonly protocol?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Certificates in PEM of the authorities that it trusts: it connects by TLS. */
  readonly caCerts?: string[];
}

/** The client. */
export class SocketClient implements Disposable {
  /** The answer to the upgrade: status line and headers. */
  head = "";
  /** Text of the text frames, in order. */
  readonly texts: string[] = [];
  /** Frames that are no text. */
  readonly frames: ServerFrame[] = [];
  /** Code and reason of the server's close frame; null while there is none. */
  closed: { readonly code: number; readonly reason: string } | null = null;
  /** Whether the connection has ended. */
  ended = false;
  readonly #connection: Deno.TcpConn | Deno.TlsConn;
  #bytes: Uint8Array = new Uint8Array(0);
  #changed = Promise.withResolvers<void>();

  private constructor(connection: Deno.TcpConn | Deno.TlsConn) {
    this.#connection = connection;
  }

  /** Connects to `path` and resolves when the upgrade is done; rejects with {@linkcode UpgradeRefused}. */
  static async connect(port: number, path: string, options: ConnectOptions = {}): Promise<SocketClient> {
    const { caCerts } = options;
    const to = { hostname: "127.0.0.1", port };
    const connection = caCerts === undefined
      ? await Deno.connect(to)
      : await Deno.connectTls({ ...to, caCerts });
    const lines = [
      `GET ${path} HTTP/1.1`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      ...options.protocol ? [`Sec-WebSocket-Protocol: ${options.protocol}`] : [],
      ...Object.entries({ Host: `127.0.0.1:${port}`, ...options.headers }).map(([name, value]) =>
        `${name}: ${value}`
      ),
    ];
    const client = new SocketClient(connection);
    try {
      await client.write(encoder.encode(lines.join("\r\n") + "\r\n\r\n"));
      await client.#readHead();
    } catch (error) {
      connection.close();
      throw error;
    }
    void client.#read();
    return client;
  }

  /** Writes bytes as they are. Resolves when the kernel has taken them. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** Writes one frame. */
  send(payload: Uint8Array | string, options: FrameOptions = {}): Promise<void> {
    return this.write(frameOf(payload, options));
  }

  /** Writes a close frame. */
  sendClose(code: number, reason = ""): Promise<void> {
    const payload = new Uint8Array(2 + reason.length);
    new DataView(payload.buffer).setUint16(0, code);
    payload.set(encoder.encode(reason), 2);
    return this.send(payload, { opcode: Opcode.CLOSE });
  }

  /** Ends the sending half of the connection. */
  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  /** The text frames as JSON. */
  get told(): Record<string, unknown>[] {
    return this.texts.map((text) => JSON.parse(text));
  }

  /** Resolves when `holds()`; rejects after `deadlineMs` with what was seen. */
  async until(holds: () => boolean, what: string, deadlineMs = 60_000): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    while (!holds()) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) {
        const seen = JSON.stringify({
          texts: this.texts.slice(-5),
          frames: this.frames.length,
          closed: this.closed,
          ended: this.ended,
        });
        throw new Error(`within ${deadlineMs} ms: not ${what}; seen: ${seen}`);
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([
        this.#changed.promise,
        new Promise<void>((resolve) => timer = setTimeout(resolve, Math.min(leftMs, 50))),
      ]);
      clearTimeout(timer);
    }
  }

  /** Resolves to the server's close code when the connection has ended; 1006 without a close frame. */
  async closeCode(deadlineMs?: number): Promise<number> {
    await this.until(() => this.ended || this.closed !== null, "closed", deadlineMs);
    return this.closed?.code ?? 1006;
  }

  [Symbol.dispose](): void {
    if (!this.ended) this.#connection.close();
    this.ended = true;
  }

  async #readHead(): Promise<void> {
    let text = "";
    const chunk = new Uint8Array(65_536);
    while (!text.includes("\r\n\r\n")) {
      const read = await this.#connection.read(chunk);
      if (read === null) throw new UpgradeRefused(text);
      text += String.fromCharCode(...chunk.subarray(0, read));
    }
    if (!text.startsWith("HTTP/1.1 101")) {
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      while (text.length < text.indexOf("\r\n\r\n") + 4 + length) {
        const read = await this.#connection.read(chunk);
        if (read === null) break;
        text += String.fromCharCode(...chunk.subarray(0, read));
      }
      throw new UpgradeRefused(text);
    }
    this.head = text.slice(0, text.indexOf("\r\n\r\n"));
    const rest = text.slice(this.head.length + 4);
    this.#take(Uint8Array.from(rest, (character) => character.charCodeAt(0)));
  }

  async #read(): Promise<void> {
    const chunk = new Uint8Array(65_536);
    try {
      for (;;) {
        const read = await this.#connection.read(chunk);
        if (read === null) break;
        this.#take(chunk.subarray(0, read));
      }
      this.#connection.close();
    } catch {
      // Reset, or closed by the test: an end either way, which the test asks for.
    }
    this.ended = true;
    this.#tellChange();
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #take(more: Uint8Array): void {
    const bytes = this.#bytes = concat(this.#bytes, more);
    let at = 0;
    for (;;) {
      if (bytes.length - at < 2) break;
      let length = bytes[at + 1] & 0x7f;
      let head = 2;
      if (length === 126) {
        head = 4;
        length = bytes[at + 2] << 8 | bytes[at + 3];
      }
      if (bytes.length - at < head + length) break;
      this.#frame(bytes[at] & 15, bytes.slice(at + head, at + head + length));
      at += head + length;
    }
    this.#bytes = bytes.slice(at);
    this.#tellChange();
  }

  #frame(opcode: number, payload: Uint8Array): void {
    if (opcode === Opcode.TEXT) this.texts.push(decoder.decode(payload));
    else this.frames.push({ opcode, payload });
    if (opcode !== Opcode.CLOSE) return;
    const code = payload.length < 2 ? 1005 : payload[0] << 8 | payload[1];
    this.closed = { code, reason: decoder.decode(payload.subarray(2)) };
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
