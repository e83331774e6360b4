/**
 * An HTTP/1.1 client of one plain socket. `fetch` hides what the gateway promises about connections: it reads ahead,
 * retries on its own, pools, and cannot send half a body or none. Here every byte goes when the test says so.
 *
 * @module
 */

/** An answer, body read to its end. */
export interface Answer {
  readonly status: number;
  /** Names in lower case; of repeated names the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** What goes before a body. */
export interface RequestHead {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One connection; requests and answers by turns, or pipelined, as the caller likes. */
export class HttpConnection implements Disposable {
  readonly #socket: Deno.TcpConn;
  #unread: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #isClosed = false;

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Connects to `port` of 127.0.0.1. */
  static async open(port: number): Promise<HttpConnection> {
    return new HttpConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends `bytes` as they are; resolves when the kernel has all of them. Rejects when the peer is gone. */
  async write(bytes: Uint8Array | string): Promise<void> {
    let rest = typeof bytes === "string" ? encoder.encode(bytes) : bytes;
    while (rest.length > 0) rest = rest.subarray(await this.#socket.write(rest));
  }

  /** Sends a request line and headers; `Host` is added. */
  async writeHead({ method = "POST", path, headers = {} }: RequestHead): Promise<void> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    await this.write(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join("")}\r\n`);
  }

  /** Sends one chunk of a chunked body; an empty one ends it. */
  async writeChunk(bytes: Uint8Array | string): Promise<void> {
    const chunk = typeof bytes === "string" ? encoder.encode(bytes) : bytes;
    await this.write(`${chunk.length.toString(16)}\r\n`);
    await this.write(chunk);
    await this.write("\r\n");
  }

  /**
   * Sends a request with its Content-Length and reads the answer at the same time: a refusal may come before the body
   * has gone, and the server may close then.
   */
  async request(head: RequestHead, body: Uint8Array | string = ""): Promise<Answer> {
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    const answer = this.readAnswer();
    const sent = (async () => {
      await this.writeHead({ ...head, headers: { "Content-Length": bytes.length, ...head.headers } });
      await this.write(bytes);
    })();
    // A server that refuses and closes breaks the pipe under the body; what it answered is what counts.
    const [read] = await Promise.all([
      answer,
      sent.catch((error) => {
        if (!isConnectionLoss(error)) throw error;
      }),
    ]);
    return read;
  }

  /** Reads one answer; a 1xx counts as one. Rejects with `UnexpectedEof` when the server closes before its end. */
  async readAnswer(method = "POST"): Promise<Answer> {
    const [statusLine, ...lines] = (await this.#readUntil("\r\n\r\n")).split("\r\n").filter((line) =>
      line !== ""
    );
    const status = Number(statusLine.split(" ")[1]);
    const headers = new Map(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }));
    if (status < 200 || status === 204 || status === 304 || method === "HEAD") {
      return { status, headers, body: "" };
    }
    if (headers.get("transfer-encoding") === "chunked") {
      return { status, headers, body: await this.#readChunks() };
    }
    const length = headers.get("content-length");
    const body = length === undefined ? await this.#readAll() : await this.#readBytes(Number(length));
    return { status, headers, body: decoder.decode(body) };
  }

  /** Resolves when the server has closed; rejects when it sends more instead. */
  async readEnd(): Promise<void> {
    if (this.#unread.length === 0 && !await this.#fill()) return;
    throw new Error(
      `Expected the end of the connection, but got ${JSON.stringify(decoder.decode(this.#unread))}`,
    );
  }

  /** Tells the server that no more comes; answers can still be read. */
  async closeWrite(): Promise<void> {
    await this.#socket.closeWrite();
  }

  /** Closes at once, both ways; harmless when it is closed. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  async #readChunks(): Promise<string> {
    let body = "";
    for (;;) {
      const length = parseInt(await this.#readUntil("\r\n"), 16);
      body += decoder.decode(await this.#readBytes(length));
      await this.#readUntil("\r\n");
      if (length === 0) return body;
    }
  }

  async #readUntil(mark: string): Promise<string> {
    for (;;) {
      const text = latin1(this.#unread);
      const end = text.indexOf(mark);
      if (end >= 0) return latin1(await this.#readBytes(end + mark.length));
      await this.#fillOrThrow();
    }
  }

  async #readBytes(count: number): Promise<Uint8Array> {
    while (this.#unread.length < count) await this.#fillOrThrow();
    const bytes = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(count);
    return bytes;
  }

  async #readAll(): Promise<Uint8Array> {
    while (await this.#fill());
    return await this.#readBytes(this.#unread.length);
  }

  async #fillOrThrow(): Promise<void> {
    if (!await this.#fill()) {
      throw new Deno.errors.UnexpectedEof("The server closed before the end of its answer");
    }
  }

  async #fill(): Promise<boolean> {
    const chunk = new Uint8Array(16 * 1024);
    const count = await this.#socket.read(chunk);
    if (count === null) return false;
    const joined = new Uint8Array(this.#unread.length + count);
    joined.set(this.#unread);
    joined.set(chunk.subarray(0, count), this.#unread.length);
    this.#unread = joined;
    return true;
  }
}

/** Whether `error` says that the other side closed or reset the connection. */
export function isConnectionLoss(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.UnexpectedEof;
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
