/**
 * What a stream's requests share: its policy, its admission, its counts.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { RateMeter } from "../limit/rate_meter.ts";
import type { Admission } from "../admission/admission.ts";
import { PointerScanner } from "../core/json_pointer.ts";
import type { BodyFormat } from "./formats.ts";
import { type Framer, type FramerOptions, REQUIRED_NAMES } from "./framer.ts";
import { JsonFramer } from "./json_framer.ts";
import { LinesFramer } from "./lines_framer.ts";
import { OctetFramer } from "./octet_framer.ts";
import type { Reply } from "./replies.ts";
import { DeadlineQueue } from "./deadline_queue.ts";
import type { DecoderBudget } from "./decoder.ts";

/** How a stream takes records. */
export interface StreamPolicy {
  /** What a 2xx promises. */
  readonly ack: "memory" | "delivered";
  /** Whether records must be JSON. */
  readonly validateJson: boolean;
  /** JSON pointer of the key in a record, or null. */
  readonly keyPointer: string | null;
  /** Request headers that are kept with a record, lower case. */
  readonly headers: readonly string[];
  /** Largest record, bytes. */
  readonly maxRecordBytes: number;
  /** Largest body, decoded bytes. */
  readonly maxBodyBytes: number;
  /** How long a request may wait for segments, ms. */
  readonly maxWaitMs: number;
  /** How long a streamed body may find none, ms. */
  readonly maxStallMs: number;
  /** How long a request may wait for delivery, ms. */
  readonly deliverTimeoutMs: number;
  /** Most bytes of a shared key, id and headers: they must fit a segment beside a record. */
  readonly maxSharedBytes: number;
}

/** A request that is neither answered nor gone. */
export interface ActiveRequest {
  /** Whether its body is not complete yet, or waits for room. */
  readonly reads: boolean;
  /** Answers that the gateway stops. */
  stop(): void;
}

/** One stream's door. */
export class StreamDoor {
  /** Name of the stream. */
  readonly name: string;
  /** Its rules. */
  readonly policy: StreamPolicy;
  /** Who gets a segment. */
  readonly admission: Admission;
  /** The budget of all decoders of the gateway. */
  readonly decoders: DecoderBudget;
  /** Time. */
  readonly clock: Clock;
  /** Requests that wait for delivery. */
  readonly deliveries: DeadlineQueue;
  /** Records refused by validation, or as too large. */
  rejectedRecords = 0;
  /** Records taken per second. */
  readonly recordRate: RateMeter;
  /** Bytes taken per second. */
  readonly byteRate: RateMeter;
  /** Answers by status. */
  readonly requests: Map<number, number> = new Map();
  /** Requests that are neither answered nor gone. */
  readonly active: Set<ActiveRequest> = new Set();
  readonly #framers: Map<BodyFormat, Framer> = new Map();
  #sampledRecords = 0;
  #sampledBytes = 0;
  #noneReads: (() => void) | null = null;
  /** Name of a sink that acks wait for and that is down, or null. */
  readonly downSink: () => string | null;
  /** Names of the sinks by lane. */
  readonly laneSinks: readonly string[];

  /** `downSink` is asked at every request. */
  constructor(options: {
    name: string;
    policy: StreamPolicy;
    admission: Admission;
    decoders: DecoderBudget;
    clock: Clock;
    downSink: () => string | null;
  }) {
    this.name = options.name;
    this.policy = options.policy;
    this.admission = options.admission;
    this.decoders = options.decoders;
    this.clock = options.clock;
    this.downSink = options.downSink;
    this.recordRate = new RateMeter(options.clock.nowMs());
    this.byteRate = new RateMeter(options.clock.nowMs());
    this.deliveries = new DeadlineQueue(options.clock, options.policy.deliverTimeoutMs);
    this.laneSinks = options.admission.partition.lanes.map((lane) => lane.sink);
  }

  /** Resolves when no request reads its body any more. */
  whenNoneReads(): Promise<void> {
    if (!this.#anyReads()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#noneReads = resolve;
    });
  }

  /** A request ended, or began to wait for delivery. */
  readingEnded(): void {
    if (this.#noneReads === null || this.#anyReads()) return;
    this.#noneReads();
    this.#noneReads = null;
  }

  #anyReads(): boolean {
    for (const request of this.active) if (request.reads) return true;
    return false;
  }

  /** A framer for a body of `format`, to be begun. */
  newFramer(format: BodyFormat): Framer {
    const { policy } = this;
    const isEvent = format === "cloud-event" || format === "cloud-event-batch";
    const options: FramerOptions = {
      validateJson: policy.validateJson,
      maxRecordBytes: policy.maxRecordBytes,
      keyPointer: policy.keyPointer === null ? null : new PointerScanner(policy.keyPointer),
      required: isEvent ? REQUIRED_NAMES.map((name) => new PointerScanner(`/${name}`)) : [],
    };
    switch (format) {
      case "json":
        return new JsonFramer(options, "any");
      case "cloud-event":
        return new JsonFramer(options, "single");
      case "cloud-event-batch":
        return new JsonFramer(options, "array");
      case "octets":
        return new OctetFramer(options);
      default:
        return new LinesFramer(options);
    }
  }

  /** The framer that all bodies of `format` share that are here whole: each is done within one turn. */
  wholeFramer(format: BodyFormat): Framer {
    let framer = this.#framers.get(format);
    if (framer === undefined) this.#framers.set(format, framer = this.newFramer(format));
    return framer;
  }

  /** Brings the rates up to date; called a few times a second. */
  sampleRates(): void {
    const now = this.clock.nowMs();
    const { acceptedRecords, acceptedBytes } = this.admission.partition;
    this.recordRate.record(acceptedRecords - this.#sampledRecords, now);
    this.byteRate.record(acceptedBytes - this.#sampledBytes, now);
    this.#sampledRecords = acceptedRecords;
    this.#sampledBytes = acceptedBytes;
  }

  /** Counts an answer. */
  answered(status: number): void {
    this.requests.set(status, (this.requests.get(status) ?? 0) + 1);
  }

  /** `reply` with the state of the quota, where there is one. */
  withRateLimit(reply: Reply): Reply {
    if (this.admission.quota === null) return reply;
    return { ...reply, headers: [...reply.headers, ...this.admission.rateLimitHeaders()] };
  }
}
