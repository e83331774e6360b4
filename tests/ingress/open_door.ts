/**
 * A running gateway in this process, on ports of its own, with a sink that keeps what it got and waits when it is told
 * to. Requests come over real sockets.
 *
 * @module
 */
import type { Clock } from "../../src/core/clock.ts";
import type { Gateway } from "../../src/gateway.ts";
import { z } from "zod";
import {
  allAcked,
  type Batch,
  createGateway,
  defineSink,
  NO_PRESSURE,
  Outcome,
  type SinkDefinition,
  type WriteResult,
} from "../../mod.ts";
import { type Answer, HttpConnection, type RequestHead } from "../support/http_client.ts";

/** A record as the sink got it. */
export interface GotRecord {
  readonly value: string;
  readonly key: string | null;
  readonly id: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly isJson: boolean;
  readonly isCloudEvent: boolean;
}

const decoder = new TextDecoder();

/** Keeps every record; while held, writes wait. */
export class HeldSink {
  readonly got: GotRecord[] = [];
  readonly definition: SinkDefinition;
  /** Values that are refused for good. */
  refuses: (value: string) => boolean = () => false;
  /** Makes every write fail. */
  fails = false;
  /** Writes begun. */
  writes = 0;
  #gate: PromiseWithResolvers<void> | null = null;

  constructor(type = "held") {
    const write = (batch: Batch, signal: AbortSignal) => this.#write(batch, signal);
    this.definition = defineSink({
      type,
      config: z.strictObject({}),
      hints: () => ({ maxRecords: 1000, maxBytes: 65_536, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),
      open: () => ({ write, check() {}, close() {} }),
    });
  }

  /** The values, in order. */
  get values(): string[] {
    return this.got.map(({ value }) => value);
  }

  /** Writes wait from now on. */
  hold(): void {
    this.#gate ??= Promise.withResolvers();
  }

  /** They go on. */
  release(): void {
    this.#gate?.resolve();
    this.#gate = null;
  }

  async #write(batch: Batch, signal: AbortSignal): Promise<WriteResult> {
    this.writes++;
    if (this.#gate) {
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      await Promise.race([this.#gate.promise, aborted]);
    }
    if (this.fails || signal.aborted) throw new Error("the sink is not there");
    const outcomes = new Uint8Array(batch.count);
    const reasons = new Map<number, string>();
    for (let i = 0; i < batch.count; i++) {
      const value = decoder.decode(batch.value(i));
      if (this.refuses(value)) {
        outcomes[i] = Outcome.REJECTED;
        reasons.set(i, "not to its taste");
        continue;
      }
      const key = batch.key(i);
      this.got.push({
        value,
        key: key === null ? null : decoder.decode(key),
        id: batch.id(i),
        headers: batch.headers(i),
        isJson: batch.isJson(i),
        isCloudEvent: batch.isCloudEvent(i),
      });
    }
    return reasons.size === 0
      ? allAcked(batch)
      : { kind: "written", outcomes, reasons, pressure: NO_PRESSURE };
  }
}

type Section = Readonly<Record<string, unknown>>;

/** What differs from a gateway with one stream `s` and one sink `out`. */
export interface DoorOptions {
  /** Keys of the stream `s`. */
  readonly stream?: Section;
  /** Keys of the sink `out`. */
  readonly sink?: Section;
  readonly gateway?: Section;
  readonly listen?: Section;
  readonly buffers?: Section;
  /** Streams beside `s`. */
  readonly streams?: Readonly<Record<string, Section>>;
  /** Sinks beside `out`. */
  readonly sinks?: Readonly<Record<string, Section>>;
  /** Kinds of sinks beside `held`. */
  readonly kinds?: readonly SinkDefinition[];
  /** The time that it goes by; without one the machine's. */
  readonly clock?: Clock;
}

/** The gateway, its sink, and ways in. */
export class OpenDoor implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly sink: HeldSink;
  /** `gateway.dataDir`. */
  readonly folder: string;

  private constructor(gateway: Gateway, sink: HeldSink, folder: string) {
    this.gateway = gateway;
    this.sink = sink;
    this.folder = folder;
  }

  /** Starts it. */
  static async start(options: DoorOptions = {}): Promise<OpenDoor> {
    const sink = new HeldSink();
    const folder = await Deno.makeTempDir({ prefix: "weir_door_" });
    const gateway = await createGateway({
      gateway: { dataDir: folder, drainMs: 5_000, ...options.gateway },
      listen: { port: 0, ...options.listen },
      admin: { port: 0 },
      buffers: options.buffers ?? {},
      streams: { s: { sinks: ["out"], ...options.stream }, ...options.streams },
      sinks: { out: { type: "held", ...options.sink }, ...options.sinks },
    }, { sinks: [sink.definition, ...options.kinds ?? []], clock: options.clock }) as Gateway;
    await gateway.start();
    return new OpenDoor(gateway, sink, folder);
  }

  /** A connection to the data port. */
  connect(): Promise<HttpConnection> {
    return HttpConnection.open(this.gateway.port);
  }

  /** One request to the stream `s` on a connection of its own. */
  async post(
    body: Uint8Array | string,
    headers: RequestHead["headers"] = {},
    path = "/v1/streams/s",
  ): Promise<Answer> {
    using connection = await this.connect();
    return await connection.request({ path, headers }, body);
  }

  /** Stops it; what its sink still holds is let go of. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.sink.release();
    this.sink.fails = false;
    await this.gateway[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The body of an answer, as the JSON that it is. */
// deno-lint-ignore no-explicit-any -- what the answer is made of is what the tests look at
export function jsonOf(answer: Answer): any {
  return JSON.parse(answer.body);
}

/** Resolves when `condition` holds, at most a minute later; told by polling, as what is waited for is another's work. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = 60_000,
): Promise<void> {
  const startMs = performance.now();
  while (!await condition()) {
    if (performance.now() - startMs > deadlineMs) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
