/**
 * A port in front of a server that a test may shut as if the server had died, and open again. A server's own death is
 * never in the middle of an answer when a test needs it there; the door's is.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** Of an answer that is cut: less than a status line, which alone may say all that is to be known. */
const CUT_BYTES = 8;

/** The door. */
export class TcpDoor implements AsyncDisposable {
  /** `http://127.0.0.1:PORT` of the door. */
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  #isOpen = true;
  #knocks = 0;
  /** Is told when the answer that is to be cut has been. */
  #onCut: (() => void) | null = null;

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    server.on("connection", (socket: Socket) => this.#accept(socket, targetPort));
  }

  /** Opens one on a free port in front of the server at `target`. */
  static async start(target: string): Promise<TcpDoor> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpDoor(server, Number(new URL(target).port));
  }

  /** Connections that found it shut. */
  get knocks(): number {
    return this.#knocks;
  }

  /** Breaks all connections; new ones are broken at once. */
  shut(): void {
    this.#isOpen = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets the first bytes of the next answer through, and shuts; resolves when that is done. */
  async shutInAnswer(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onCut = resolve;
    await promise;
  }

  /** New connections are let through again. */
  open(): void {
    this.#isOpen = true;
  }

  /** Shuts for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.shut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket, targetPort: number): void {
    if (!this.#isOpen) {
      this.#knocks++;
      client.destroy();
      return;
    }
    const server = connect(targetPort, "127.0.0.1");
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#sockets.add(socket);
      // A connection that breaks is what this is for.
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(server);
    let isAsked = false;
    client.on("data", () => isAsked = true);
    server.on("data", (bytes: Buffer) => {
      if (!this.#isOpen) return;
      const begins = isAsked;
      isAsked = false;
      const onCut = this.#onCut;
      if (onCut === null || !begins) return void client.write(bytes);
      this.#onCut = null;
      this.#isOpen = false;
      // What was written is lost with a connection that is destroyed at once.
      client.write(bytes.subarray(0, CUT_BYTES), () => {
        this.shut();
        onCut();
      });
    });
  }
}
