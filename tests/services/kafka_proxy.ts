/**
 * Stands between a sink and a real broker, and takes away what a network may lose at the worst moment: a request before
 * the broker has it, or the answer behind what the broker did. It also answers some requests in the broker's place, with
 * codes that no real broker can be made to give on demand; those answers alone are fakes.
 *
 * @module
 */
import { assert } from "@std/assert";
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** Keys of requests. */
export const PRODUCE = 0;
export const END_TXN = 26;

/** What happens to one request. */
export type Fault =
  /** It is passed on; so goes a request without a fault. */
  | { readonly kind: "none" }
  /** The connection breaks before the broker has it. */
  | { readonly kind: "lost" }
  /** The broker does what it says; the connection breaks before the answer. */
  | { readonly kind: "unanswered" }
  /** It is passed on when `until` is settled; `isUnanswered` as above. */
  | { readonly kind: "late"; readonly until: () => Promise<void>; readonly isUnanswered?: boolean }
  /** The connection breaks, and the broker gets the request all the same, when `until` is settled. */
  | { readonly kind: "overdue"; readonly until: () => Promise<void> }
  /** The proxy answers, and the broker never sees it; for a Produce request of version 9 to one partition. */
  | { readonly kind: "answered"; readonly code: number };

const NONE: Fault = { kind: "none" };

/** A proxy on a port of its own. */
export class KafkaProxy implements AsyncDisposable {
  /** Told every request of kind `key` as it comes, its length included. */
  onRequest: (key: number, frame: Buffer) => void = () => {};
  readonly #server: Server;
  readonly #target: () => string;
  readonly #sockets: Set<Socket> = new Set();
  readonly #faults: Map<number, Fault[]> = new Map();

  private constructor(target: () => string) {
    this.#target = target;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens on `port`; connects to `target()`, `127.0.0.1:PORT`. */
  static async start(port: number, target: () => string): Promise<KafkaProxy> {
    const proxy = new KafkaProxy(target);
    proxy.#server.listen(port, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** The next requests of kind `key` meet these faults, one each. */
  next(key: number, ...faults: readonly Fault[]): void {
    this.#faults.set(key, [...this.#faults.get(key) ?? [], ...faults]);
  }

  /** How many faults wait for their request. */
  get waiting(): number {
    return [...this.#faults.values()].reduce((sum, faults) => sum + faults.length, 0);
  }

  /** Breaks all connections; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Breaks all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    const broker = connect(Number(this.#target().split(":")[1]), "127.0.0.1");
    const unanswered = new Set<number>();
    const cut = () => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      // A connection that breaks is what this is for.
      socket.on("error", cut);
      socket.on("close", () => this.#sockets.delete(socket));
    }
    let before: Promise<unknown> = Promise.resolve();
    broker.on("close", cut);
    // What is on its way arrives, though its sender is gone.
    client.on("close", () => void before.then(() => broker.end()));
    onFrame(client, (frame) => {
      this.onRequest(frame.readInt16BE(4), frame);
      const fault = this.#faults.get(frame.readInt16BE(4))?.shift() ?? NONE;
      before = before.then(() => this.#request(frame, fault, { client, broker, unanswered, cut }));
    });
    onFrame(broker, (frame) => {
      if (unanswered.has(frame.readInt32BE(4))) cut();
      else client.write(frame);
    });
  }

  async #request(frame: Buffer, fault: Fault, { client, broker, unanswered, cut }: Pair): Promise<void> {
    if (fault.kind === "lost") return cut();
    if (fault.kind === "answered") {
      client.write(produceAnswer(frame, fault.code));
      return;
    }
    if (fault.kind === "overdue") client.destroy();
    if (fault.kind === "late" || fault.kind === "overdue") await fault.until();
    const isUnanswered = fault.kind === "unanswered" || fault.kind === "late" && fault.isUnanswered;
    if (isUnanswered) unanswered.add(frame.readInt32BE(8));
    broker.write(frame);
  }
}

interface Pair {
  readonly client: Socket;
  readonly broker: Socket;
  readonly unanswered: Set<number>;
  readonly cut: () => void;
}

/** Calls `each` with every frame, its length included. */
function onFrame(socket: Socket, each: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      each(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  });
}

/** The answer to `request` with `code` for its one partition. */
function produceAnswer(request: Buffer, code: number): Buffer {
  assert(
    request.readInt16BE(4) === PRODUCE && request.readInt16BE(6) === 9,
    "a Produce request of version 9",
  );
  const clientId = request.readInt16BE(12);
  let at = 14 + Math.max(0, clientId) + 1;
  at += Math.max(1, request[at]); // transactional id, with its length + 1 in front
  at += 2 + 4 + 1; // acks, timeout, number of topics
  const topic = request.subarray(at, at + request[at]); // as a compact string
  const partition = request.readInt32BE(at + topic.length + 1);
  const answer = Buffer.alloc(4 + 4 + 1 + 1 + topic.length + 1 + 4 + 2 + 24 + 1 + 1 + 1 + 1 + 4 + 1);
  answer.writeInt32BE(answer.length - 4, 0);
  request.copy(answer, 4, 8, 12);
  answer[9] = 2;
  topic.copy(answer, 10);
  at = 10 + topic.length;
  answer[at] = 2;
  answer.writeInt32BE(partition, at + 1);
  answer.writeInt16BE(code, at + 5);
  answer.fill(0xff, at + 7, at + 31); // no offset, time and log start
  answer[at + 31] = 1; // no record is named
  return answer;
}
