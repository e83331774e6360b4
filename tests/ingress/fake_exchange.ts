/**
 * A fake {@linkcode Exchange} and a stream under the test's hand: no socket, no gateway, time that only moves when it is
 * told to, and a lane that settles when the test says so.
 *
 * @module
 */
import { silentLogger } from "../../src/core/log.ts";
import { Admission } from "../../src/admission/admission.ts";
import type { LocalBufferPool } from "../../src/buffer/local_buffer_pool.ts";
import { NetworkBufferPool } from "../../src/buffer/network_buffer_pool.ts";
import type { SegmentBatch } from "../../src/lane/batch.ts";
import { DecoderBudget } from "../../src/ingress/decoder.ts";
import type { Exchange } from "../../src/ingress/exchange.ts";
import type { IngestHead } from "../../src/ingress/ingest_head.ts";
import { IngestRequest } from "../../src/ingress/ingest_request.ts";
import type { Reply } from "../../src/ingress/replies.ts";
import { StreamDoor, type StreamPolicy } from "../../src/ingress/stream_door.ts";
import type { Limits } from "../../src/limit/token_bucket.ts";
import { ResultPartition } from "../../src/partition/result_partition.ts";
import { ReadingLane } from "../partition/reading_lane.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** Small segments, so that a test's body fills several. */
export const SEGMENT_BYTES = 1024;

/** An answer, its body parsed. */
export interface FakeAnswer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- what the answer is made of is what the tests look at
  readonly body: any;
  readonly retryAfter: number;
  readonly left: "complete" | "unread";
  readonly closes: boolean;
}

/** An exchange that is none: it keeps what is answered, and whether the body is paused. */
export class FakeExchange implements Exchange {
  isPaused = false;
  /** What was answered. */
  answer: FakeAnswer | null = null;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(headers: Readonly<Record<string, string>> = {}) {
    this.#headers = headers;
  }

  takeRank(): number {
    return -1;
  }

  keepRank(): void {}

  header(name: string): string | undefined {
    return this.#headers[name];
  }

  headers(): Iterable<readonly [string, string]> {
    return Object.entries(this.#headers);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  reply(reply: Reply, left: "complete" | "unread", closes: boolean): void {
    if (this.answer !== null) throw new Error(`answered twice: ${reply.status}`);
    const at = reply.headers.indexOf("Retry-After");
    const retryAfter = at < 0 ? 0 : Number(reply.headers[at + 1]);
    this.answer = { status: reply.status, body: JSON.parse(reply.body), retryAfter, left, closes };
  }
}

/** A request and its exchange. */
export interface Sent {
  readonly exchange: FakeExchange;
  readonly request: IngestRequest;
  /** Hands over a piece of the body. */
  data(bytes: string | Uint8Array): void;
  /** Ends the body. */
  end(): void;
}

const encoder = new TextEncoder();

/** The stream. */
export class FakeStream {
  readonly clock = new ManualClock();
  readonly pool: LocalBufferPool;
  readonly lane: ReadingLane;
  readonly admission: Admission;
  readonly decoders: DecoderBudget;
  readonly door: StreamDoor;
  readonly #batches: SegmentBatch[] = [];

  constructor(options: {
    segments: number;
    policy?: Partial<StreamPolicy>;
    quota?: Limits;
    maxWaiters?: number;
    decoderBytes?: number;
  }) {
    const network = new NetworkBufferPool({ segments: options.segments, segmentBytes: SEGMENT_BYTES });
    this.pool = network.createLocalPool({ name: "s", minSegments: options.segments });
    this.lane = new ReadingLane(0, {
      sink: "out",
      maxBuffers: 10_000,
      channel: this.pool.openChannel(10_000),
    });
    const partition = new ResultPartition({
      stream: "s",
      pool: this.pool,
      lanes: [this.lane.input],
      clock: this.clock,
      notify: () => {},
    });
    const policy: StreamPolicy = {
      origins: [],
      ack: "memory",
      validateJson: true,
      keyPointer: null,
      headers: [],
      maxRecordBytes: 100_000,
      maxBodyBytes: 8_000_000,
      maxWaitMs: 1_000,
      maxStallMs: 5_000,
      deliverTimeoutMs: 30_000,
      maxSharedBytes: 256,
      ...options.policy,
    };
    this.admission = new Admission({
      partition,
      clock: this.clock,
      random: () => 0,
      maxWaiters: options.maxWaiters ?? 10,
      maxWaitMs: policy.maxWaitMs,
      maxStallMs: 10_000,
      quota: options.quota ?? null,
      drain: () => ({ bytesPerSecond: 1000, stalledMs: 0, hintMs: 0 }),
    });
    this.decoders = new DecoderBudget(options.decoderBytes ?? 1 << 25);
    this.door = new StreamDoor({
      name: "s",
      policy,
      admission: this.admission,
      decoders: this.decoders,
      clock: this.clock,
      log: silentLogger,
      downSink: () => null,
    });
    this.pool.addAvailabilityListener(() => this.clock.defer(() => this.admission.serve()));
  }

  /** A request with this head; lines by default. */
  send(head: Partial<IngestHead> = {}): Sent {
    const exchange = new FakeExchange();
    const request = new IngestRequest(this.door, exchange, {
      format: "lines",
      encoding: "identity",
      contentLength: -1,
      shared: null,
      isCloudEvent: false,
      ...head,
    });
    return {
      exchange,
      request,
      data: (bytes) => request.onData(typeof bytes === "string" ? encoder.encode(bytes) : bytes),
      end: () => request.onEnd(),
    };
  }

  /** A body that is here whole, in one chunk. */
  whole(text: string): Sent {
    const bytes = encoder.encode(text);
    const sent = this.send({ contentLength: bytes.length });
    sent.data(bytes);
    return sent;
  }

  /** Reads what is queued at the lane and holds it; returns the number of records. */
  hold(): number {
    this.admission.partition.flush();
    const batch = this.lane.read();
    if (batch === null) return 0;
    this.#batches.push(batch);
    return batch.count;
  }

  /** Settles the oldest batches that are held. */
  settle(batches = Infinity): void {
    for (const batch of this.#batches.splice(0, batches)) this.lane.settleAll(batch);
  }
}

/** A line of `bytes` bytes, its LF included. */
export function line(bytes: number): string {
  return `"${"x".repeat(bytes - 3)}"\n`;
}
