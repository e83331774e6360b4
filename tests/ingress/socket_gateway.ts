/**
 * A gateway in this process with a sink that keeps what it gets and can be held: real sockets, and a look inside.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { z } from "zod";
import { builtInSinks } from "../../adapters/mod.ts";
import { parseConfig } from "../../src/config.ts";
import type { Clock } from "../../src/core/clock.ts";
import { Gateway } from "../../src/gateway.ts";
import { allAcked, defineSink, type SinkDefinition } from "../../src/sink/adapter.ts";
import { freePort } from "../support/ports.ts";
import { type ConnectOptions, SocketClient } from "../support/socket_client.ts";

const decoder = new TextDecoder();

/** The sink. */
export class HeldSink {
  /** Values in the order in which they were stored. */
  readonly stored: string[] = [];
  readonly definition: SinkDefinition;
  #held: PromiseWithResolvers<void> | null = null;

  constructor(type: string, maxRecords = 1000) {
    this.definition = defineSink({
      type,
      config: z.strictObject({}),
      hints: () => ({ maxRecords, maxBytes: 1_048_576, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),
      open: () => ({
        write: async (batch) => {
          await this.#held?.promise;
          for (let i = 0; i < batch.count; i++) this.stored.push(decoder.decode(batch.value(i)));
          return allAcked(batch);
        },
        check() {},
        close() {},
      }),
    });
  }

  /** Writes take until `release`. */
  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = null;
  }
}

/** The gateway, its stream `s` into the sink `kept`, and what `config` adds. */
export class SocketGateway implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly sink: HeldSink;
  readonly clients: SocketClient[] = [];

  private constructor(gateway: Gateway, sink: HeldSink) {
    this.gateway = gateway;
    this.sink = sink;
  }

  /** `stream` are keys of `s`; the others are sections. */
  static async start(options: {
    stream?: Readonly<Record<string, unknown>>;
    streams?: Readonly<Record<string, unknown>>;
    sinks?: Readonly<Record<string, unknown>>;
    buffers?: Readonly<Record<string, unknown>>;
    listen?: Readonly<Record<string, unknown>>;
    drainMs?: number;
    clock?: Clock;
  } = {}): Promise<SocketGateway> {
    const sink = new HeldSink("held");
    const config = parseConfig({
      gateway: {
        id: "g",
        dataDir: await Deno.makeTempDir({ prefix: "weir_socket_" }),
        drainMs: options.drainMs ?? 5_000,
      },
      listen: { port: freePort(), ...options.listen },
      admin: { port: 0 },
      buffers: options.buffers ?? {},
      streams: { s: { sinks: ["kept"], validate: "none", ...options.stream }, ...options.streams },
      sinks: { kept: { type: "held", timeoutMs: 60_000, order: "strict" }, ...options.sinks },
    }, [sink.definition, ...builtInSinks]);
    const gateway = new Gateway(config, { clock: options.clock });
    await gateway.start();
    return new SocketGateway(gateway, sink);
  }

  /** Connects to the stream `s`, or another path. */
  async connect(options: ConnectOptions & { readonly path?: string } = {}): Promise<SocketClient> {
    const client = await SocketClient.connect(this.gateway.port, options.path ?? "/v1/streams/s", options);
    this.clients.push(client);
    return client;
  }

  /** Resolves when `holds()`. */
  async until(holds: () => boolean, what: string, deadlineMs = 60_000): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    while (!holds()) {
      if (performance.now() > endMs) {
        throw new Error(`within ${deadlineMs} ms: not ${what}; stored ${this.sink.stored.length}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Stops, and checks that every record is accounted for and every segment came home. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.sink.release();
    for (const client of this.clients) client[Symbol.dispose]();
    const { gateway } = this;
    await this.until(() => gateway.sockets.connections === 0, "every connection gone");
    await this.until(
      () =>
        [...gateway.streams.values()].every(({ lanes }) =>
          lanes.every(({ lane }) => lane.input.unsettledRecords === 0)
        ),
      "every record settled",
    );
    for (const { admission, name } of gateway.streams.values()) {
      assertEquals(admission.creditBytes, 0, `credit of ${name} that nobody has`);
      assertEquals(admission.pausedReaders, 0, `readers of ${name} that wait`);
    }
    const report = await gateway.stop();
    assertEquals(report.lostRecords, 0);
    await Deno.remove(gateway.config.gateway.dataDir, { recursive: true });
  }
}
