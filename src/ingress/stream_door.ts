/**
 * What a stream's requests share: its policy, its admission, its counts.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { RateMeter } from "../limit/rate_meter.ts";
import type { Admission } from "../admission/admission.ts";
import { PointerScanner } from "../core/json_pointer.ts";
import type { BodyFormat } from "./formats.ts";
import { REQUIRED_NAMES } from "./event_rules.ts";
import type { Framer, FramerOptions } from "./framer.ts";
import { JsonFramer } from "./json_framer.ts";
import { LinesFramer } from "./lines_framer.ts";
import { OctetFramer } from "./octet_framer.ts";
import { rateLimitFields } from "./rate_limit_fields.ts";
import type { Reply } from "./replies.ts";
import { DeadlineQueue } from "./deadline_queue.ts";
import { CreditWindows } from "./credit_window.ts";
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
  /** Origins of web pages that may connect by WebSocket beside those of the gateway's own host, lower case; `*` is all. */
  readonly origins: readonly string[];
}

/** A WebSocket of the stream, as its owner sees it. */
export interface OpenSocket extends ActiveRequest {
  /** Reads no further message. */
  drain(): void;
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
  /** WebSockets that are open. */
  readonly sockets: Set<OpenSocket> = new Set();
  /** Those among them that are not read now. */
  pausedSockets = 0;
  /** How much the clients of the stream may be told to send. */
  readonly windows: CreditWindows;
  #tellers: (() => void)[] = [];
  #tellTimer: Timer | null = null;
  readonly #framers: Map<BodyFormat, Framer> = new Map();
  readonly #log: Logger;
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
    log: Logger;
    downSink: () => string | null;
  }) {
    this.name = options.name;
    this.policy = options.policy;
    this.admission = options.admission;
    this.decoders = options.decoders;
    this.clock = options.clock;
    this.#log = options.log;
    this.windows = new CreditWindows(options.admission);
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
    return this.anySocketReads;
  }

  /** Whether a WebSocket holds messages that have come and are not taken. */
  get anySocketReads(): boolean {
    for (const socket of this.sockets) if (socket.reads) return true;
    return false;
  }

  /** Reads no WebSocket any further: the stream drains. */
  drainSockets(): void {
    for (const socket of this.sockets) socket.drain();
  }

  /** Tells every request and WebSocket that is still open that the stream stops. */
  stopAll(): void {
    for (const request of [...this.active, ...this.sockets]) request.stop();
  }

  /** Calls `run` in at most `delayMs`, which is the same for all: one timer serves them together. */
  tellSoon(run: () => void, delayMs: number): void {
    this.#tellers.push(run);
    this.#tellTimer ??= this.clock.setTimer(() => {
      this.#tellTimer = null;
      const tellers = this.#tellers;
      this.#tellers = [];
      for (const tell of tellers) tell();
    }, delayMs);
  }

  /** A fault of the gateway's own, which ended one client's business and nobody else's. */
  failed(what: string, error: unknown): void {
    const reason = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#log.error(`cannot go on with ${what}: this is a fault of the gateway`, {
      stream: this.name,
      reason,
    });
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
    const { quota } = this.admission;
    if (quota === null) return reply;
    return { ...reply, headers: [...reply.headers, ...rateLimitFields(quota, this.clock.nowMs())] };
  }
}
