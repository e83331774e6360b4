/**
 * A whole gateway for one scenario: time stands until it is run, sinks do what the scenario says, and requests are made
 * at the door that both servers use.
 *
 * @module
 */
import { z } from "zod";
import { parseConfig } from "../../src/config.ts";
import { Gateway } from "../../src/gateway.ts";
import type { Exchange } from "../../src/ingress/exchange.ts";
import type { IngestRequest } from "../../src/ingress/ingest_request.ts";
import type { Reply } from "../../src/ingress/replies.ts";
import { allAcked, type Batch, type SinkDefinition, type WriteResult } from "../../src/sink/adapter.ts";
import { encodedBytesOf } from "../../src/sink/encoded_bytes.ts";
import { SimClock } from "../sim/sim_clock.ts";
import { settle } from "../support/manual_clock.ts";

/** What a sink does with a batch. */
export type Writing = (batch: Batch, signal: AbortSignal) => WriteResult | Promise<WriteResult>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A write that is stored at once. */
export const takes: Writing = (batch) => allAcked(batch);

/** A write that never ends by itself, but obeys its signal. */
export const never: Writing = (_, signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

/** A request of a scenario; also its exchange. */
export class StageRequest implements Exchange {
  reply_: Reply | null = null;
  /** Clock time of the answer. */
  answeredAtMs = -1;
  paused = false;
  readonly #stage: Stage;
  readonly #headers: Map<string, string>;
  #ingest: IngestRequest | null = null;

  /** `length` is the Content-Length, or -1 for a chunked body. */
  constructor(stage: Stage, stream: string, length: number) {
    this.#stage = stage;
    this.#headers = new Map([["content-type", "application/x-ndjson"]]);
    if (length >= 0) this.#headers.set("content-length", String(length));
    this.#ingest = stage.gateway.ingress.begin("POST", `/v1/streams/${stream}`, this);
  }

  /** Status of the answer; 0 before. */
  get status(): number {
    return this.reply_?.status ?? 0;
  }

  /** Body of the answer. */
  // deno-lint-ignore no-explicit-any -- the members of an answer are what a scenario looks at
  get answer(): any {
    return JSON.parse(this.reply_!.body);
  }

  /** `Retry-After` of the answer, or NaN. */
  get retryAfterSeconds(): number {
    const { headers } = this.reply_!;
    return Number(headers[headers.indexOf("Retry-After") + 1]);
  }

  send(text: string): void {
    if (this.reply_ === null) this.#ingest!.onData(encoder.encode(text));
  }

  end(): void {
    if (this.reply_ === null) this.#ingest!.onEnd();
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  headers(): Iterable<readonly [string, string]> {
    return this.#headers;
  }

  takeRank(): number {
    return -1;
  }

  keepRank(): void {}

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  reply(reply: Reply): void {
    this.reply_ = reply;
    this.answeredAtMs = this.#stage.clock.nowMs();
    this.#stage.onReply(this);
  }
}

/** The gateway and its sinks. */
export class Stage implements AsyncDisposable {
  readonly clock: SimClock = new SimClock();
  readonly gateway: Gateway;
  /** Values that each sink has taken, in order. */
  readonly stored: Map<string, string[]> = new Map();
  /** Starts of writes: when, at which sink, how many records and bytes, from which stream. */
  readonly writes: { atMs: number; sink: string; records: number; bytes: number; stream: string }[] = [];
  /** What a sink does that is asked whether it would take records. */
  check: (sink: string) => void = () => {};
  /** Bytes that a record takes at the sinks. */
  encodedBytes: (batch: Batch, i: number) => number = (batch, i) => batch.valueLength(i);
  /** Called at every answer. */
  onReply: (request: StageRequest) => void = () => {};
  readonly #dataDir: string;
  readonly #writings: Map<string, Writing>;

  private constructor(
    raw: Record<string, unknown>,
    writings: Record<string, Writing>,
    random: () => number,
    dataDir: string,
  ) {
    this.#dataDir = dataDir;
    this.#writings = new Map(Object.entries(writings));
    const kind: SinkDefinition = {
      type: "stage",
      config: z.strictObject({ writesInFlight: z.number().default(1) }),
      hints: ({ writesInFlight }) => ({
        maxRecords: 10,
        maxBytes: 10_000,
        lingerMs: 0,
        framingBytes: 0,
        writesInFlight,
      }),
      open: (_, { sink }) => ({
        write: (batch, signal) => this.#write(sink, batch, signal),
        encodedBytes: (batch) => encodedBytesOf(batch, this.encodedBytes),
        check: () => this.check(sink),
        close() {},
      }),
    };
    const config = parseConfig({ ...raw, gateway: { id: "stage", dataDir, drainMs: 1000 } }, [kind]);
    this.gateway = new Gateway(config, { sinks: [kind], clock: this.clock, random });
  }

  /**
   * A gateway of this config, open; `writings` say what its sinks do, those that are not named take everything; `random`
   * gives the chance of every jitter.
   */
  static async open(
    raw: Record<string, unknown>,
    writings: Record<string, Writing> = {},
    random: () => number = () => 0.5,
  ): Promise<Stage> {
    const stage = new Stage(raw, writings, random, await Deno.makeTempDir({ prefix: "weir_stage_" }));
    await stage.gateway.open();
    await settle();
    return stage;
  }

  /** The sink does something else from now on. */
  behave(sink: string, writing: Writing): void {
    this.#writings.set(sink, writing);
  }

  /** A request with this body, whole. */
  post(stream: string, body: string): StageRequest {
    const request = new StageRequest(this, stream, encoder.encode(body).length);
    request.send(body);
    return request;
  }

  /** A request whose body is still to be sent. */
  begin(stream: string): StageRequest {
    return new StageRequest(this, stream, -1);
  }

  /** Resolves after `ms` of the clock; a sink's way to be slow. */
  after<T>(ms: number, result: () => T): Promise<T> {
    return new Promise((resolve) => this.clock.setTimer(() => resolve(result()), ms));
  }

  /** Lets `ms` pass. */
  async run(ms: number): Promise<void> {
    const endMs = this.clock.nowMs() + ms;
    // Something is always due at the end, so that time gets there.
    this.clock.setTimer(() => {}, ms);
    await this.#turn();
    while (this.clock.step(endMs)) await this.#turn();
  }

  /** Stops the gateway and lets time pass until it has. */
  async stop(): Promise<{ lostRecords: number }> {
    let report: { lostRecords: number } | null = null;
    this.gateway.stop().then((done) => report = done);
    while (report === null) {
      await this.#turn();
      if (report === null) this.clock.step();
    }
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.#dataDir, { recursive: true });
  }

  async #turn(): Promise<void> {
    this.clock.endTurn();
    await settle();
    this.clock.endTurn();
  }

  async #write(sink: string, batch: Batch, signal: AbortSignal): Promise<WriteResult> {
    const { count: records, bytes, stream } = batch;
    this.writes.push({ atMs: this.clock.nowMs(), sink, records, bytes, stream });
    const result = await (this.#writings.get(sink) ?? takes)(batch, signal);
    if (result.kind === "written") {
      let stored = this.stored.get(sink);
      if (stored === undefined) this.stored.set(sink, stored = []);
      for (let i = 0; i < batch.count; i++) {
        if (result.outcomes[i] === 0) stored.push(decoder.decode(batch.value(i)));
      }
    }
    return result;
  }
}

/** `n` records, one a line, of `bytes` bytes each, LF not counted. */
export function lines(n: number, bytes = 20): string {
  return Array.from({ length: n }, (_, k) => `{"n":${String(k).padStart(bytes - 6, "1")}}`).join("\n");
}
