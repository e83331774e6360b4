/**
 * A broker that answers as no real one can be made to: it speaks the three requests of the `kafka` sink, and a test says
 * what it answers.
 *
 * @module
 */
import { Writer } from "@platformatic/kafka";
import { Buffer } from "node:buffer";
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** Numbers of requests (Kafka protocol, "API Keys"). */
export const Api = { PRODUCE: 0, METADATA: 3, INIT_PRODUCER_ID: 22 } as const;

/** What the broker says of its one topic. */
export interface ToldTopic {
  readonly code: number;
  readonly partitions: number;
  /** Of another topic than the one it was asked for. */
  readonly name?: string;
}

/** An answer to a Produce request for one partition. */
export interface ToldPartition {
  readonly partition: number;
  readonly code: number;
  /** Places in the batch of the records that it names as those at fault. */
  readonly invalid?: readonly number[];
}

/** The broker. */
export class BrokenBroker implements AsyncDisposable {
  /** What it says of the topic that it is opened with. */
  topic: ToldTopic = { code: 0, partitions: 1 };
  /** What it says to a Produce request. */
  stored: readonly ToldPartition[] = [{ partition: 0, code: 0 }];
  /** For how long it wants to hear nothing after a Produce request, ms. */
  throttleMs = 0;
  /** Answers request number `api` in the test's own way; false leaves it to the broker. */
  intercept: (api: number, correlation: number, socket: Socket) => boolean = () => false;
  /** Requests by number of the API. */
  readonly asked: Map<number, number> = new Map();
  readonly #name: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();

  private constructor(name: string) {
    this.#name = name;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Listens, and knows a topic `name`. */
  static async open(name: string): Promise<BrokenBroker> {
    const broker = new BrokenBroker(name);
    await new Promise<void>((resolve) => broker.#server.listen(0, "127.0.0.1", resolve));
    return broker;
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Closes it with all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {}); // the client went away
    let held = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      held = Buffer.concat([held, chunk as Buffer]);
      while (held.length >= 12 && held.length >= 4 + held.readInt32BE(0)) {
        this.#answer(held.readInt16BE(4), held.readInt32BE(8), socket);
        held = held.subarray(4 + held.readInt32BE(0));
      }
    });
  }

  #answer(api: number, correlation: number, socket: Socket): void {
    this.asked.set(api, (this.asked.get(api) ?? 0) + 1);
    if (this.intercept(api, correlation, socket)) return;
    const writer = Writer.create();
    if (api === Api.METADATA) this.#metadata(writer);
    else if (api === Api.INIT_PRODUCER_ID) {
      writer.appendInt32(0).appendInt16(0).appendInt64(7n).appendInt16(0).appendTaggedFields();
    } else this.#produced(writer);
    socket.write(frame(correlation, writer.buffer));
  }

  #metadata(writer: Writer): void {
    writer.appendInt32(0).appendArray([0], (broker) => {
      broker.appendInt32(1).appendString("127.0.0.1").appendInt32(this.#port).appendString(null);
    }).appendString("cluster").appendInt32(1).appendArray(
      [this.topic],
      (topic, { code, partitions, name }) => {
        topic.appendInt16(code).appendString(name ?? this.#name).appendBoolean(false)
          .appendArray(Array.from({ length: partitions }, (_, at) => at), (each, at) => {
            each.appendInt16(0).appendInt32(at).appendInt32(1).appendInt32(0);
            for (let list = 0; list < 3; list++) each.appendArray([], () => {}, true, false);
          }).appendInt32(0);
      },
    ).appendInt32(0).appendTaggedFields();
  }

  #produced(writer: Writer): void {
    writer.appendArray([this.stored], (topic, partitions) => {
      topic.appendString(this.#name).appendArray(
        [...partitions],
        (each, { partition, code, invalid = [] }) => {
          each.appendInt32(partition).appendInt16(code).appendInt64(0n).appendInt64(-1n).appendInt64(0n)
            .appendArray([...invalid], (named, index) => void named.appendInt32(index).appendString(null))
            .appendString(null);
        },
      );
    }).appendInt32(this.throttleMs).appendTaggedFields();
  }
}

/** An answer as it stands on the wire. */
export function frame(correlation: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeInt32BE(5 + body.length, 0);
  head.writeInt32BE(correlation, 4);
  return Buffer.concat([head, body]);
}
