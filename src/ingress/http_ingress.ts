/**
 * `POST /v1/streams/{stream}` from the server's raw request: headers are judged in the order that the contract gives,
 * then the body goes chunk by chunk to an {@linkcode IngestRequest}.
 *
 * The raw request, because taking a segment, refusing and pausing must happen inside the `data` event (Deno hands over
 * up to 84 MB between two microtasks), and because a framework in between costs a quarter of the requests per second.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { headerFault } from "./event_rules.ts";
import type { Exchange } from "./exchange.ts";
import { formatOf, KNOWN_ENCODINGS, KNOWN_TYPES, unknownTypeReason } from "./formats.ts";
import type { IngestHead } from "./ingest_head.ts";
import { IngestRequest } from "./ingest_request.ts";
import { NodeExchange } from "./node_exchange.ts";
import { type ProblemKind, problemReply, type Reply } from "./replies.ts";
import { sharedMetaOf, utf8Of } from "./shared_meta.ts";
import type { StreamDoor } from "./stream_door.ts";

/** Where streams are. */
export const STREAMS_PATH = "/v1/streams/";

/** A refusal by the headers. */
interface Refused {
  readonly kind: "refused";
  readonly reply: Reply;
  /** The stream, where there is one. */
  readonly door: StreamDoor | null;
  /** Whether the connection cannot be used again. */
  readonly close: boolean;
}

/** A refusal by the headers, or what they say of the body. */
type Judged =
  | Refused
  | { readonly kind: "taken"; readonly door: StreamDoor; readonly head: IngestHead };

/** What the door needs to know of the gateway. */
export interface DoorKeeper {
  /** The stream's door, or undefined. */
  door(stream: string): StreamDoor | undefined;
  /** Seconds until the gateway may be back, when it drains; else 0. */
  drainingSeconds(): number;
}

/** A client as young as can be, whom nothing is promised. */
const NEWCOMER = { age: Infinity, promised: false, expectedBytes: Infinity };

/** The HTTP door. */
export class HttpIngress {
  readonly #keeper: DoorKeeper;

  /** `keeper` finds streams. */
  constructor(keeper: DoorKeeper) {
    this.#keeper = keeper;
  }

  /** Answers `request` when it is for a stream; false when it is for somebody else. `target` is its path where the app is mounted below another. */
  handle(request: IncomingMessage, response: ServerResponse, target: string = request.url ?? ""): boolean {
    if (!target.startsWith(STREAMS_PATH)) return false;
    const exchange = new NodeExchange(request, response);
    const ingest = this.begin(request.method ?? "", target, exchange);
    if (ingest !== null) exchange.bind(ingest);
    return true;
  }

  /** The same for a client that waits for `100 Continue`: refusals come before the body. */
  handleExpect(request: IncomingMessage, response: ServerResponse): boolean {
    const target = request.url ?? "";
    if (!target.startsWith(STREAMS_PATH)) return false;
    const exchange = new NodeExchange(request, response);
    const judged = this.#judge(request.method ?? "", target, exchange);
    if (judged.kind === "refused") {
      this.#refuse(judged, exchange);
      return true;
    }
    const { admission } = judged.door;
    if (!admission.mayTake(NEWCOMER)) {
      const seconds = admission.retryAfterSeconds(Math.max(0, judged.head.contentLength));
      const [kind, why] = admission.sourceIsOpen
        ? ["no-buffers", "the stream has no free segment now"] as const
        : ["sink-behind", "the control of a sink lets nothing in now"] as const;
      const headers = ["Retry-After", String(seconds)];
      const detail = `${why}; try again in ${seconds} s`;
      this.#refuse(refused(judged.door, kind, 429, detail, headers), exchange);
      return true;
    }
    response.writeContinue();
    exchange.bind(new IngestRequest(judged.door, exchange, judged.head));
    return true;
  }

  /** Judges the head. Returns the request that the body is for, or gives the refusal to `exchange` and returns null. */
  begin(method: string, target: string, exchange: Exchange): IngestRequest | null {
    const judged = this.#judge(method, target, exchange);
    if (judged.kind === "taken") return new IngestRequest(judged.door, exchange, judged.head);
    this.#refuse(judged, exchange);
    return null;
  }

  #refuse({ door, reply, close }: Refused, exchange: Exchange): void {
    door?.answered(reply.status);
    exchange.reply(door === null ? reply : door.withRateLimit(reply), "unread", close);
  }

  #judge(method: string, target: string, exchange: Exchange): Judged {
    const query = target.indexOf("?");
    const name = target.slice(STREAMS_PATH.length, query < 0 ? undefined : query);
    const door = this.#keeper.door(name);
    const draining = this.#keeper.drainingSeconds();
    if (draining > 0) {
      return refused(
        door ?? null,
        "draining",
        503,
        "the gateway is draining; another may already take requests",
        [
          "Retry-After",
          String(draining),
        ],
      );
    }
    if (door === undefined) {
      return refused(null, "not-found", 404, `there is no stream ${JSON.stringify(name.slice(0, 100))}`);
    }
    if (method !== "POST") {
      return refused(door, "method-not-allowed", 405, `a stream takes POST, not ${method}`, [
        "Allow",
        "POST",
      ]);
    }
    return this.#judgeBody(door, query < 0 ? "" : target.slice(query + 1), exchange);
  }

  #judgeBody(door: StreamDoor, query: string, exchange: Exchange): Judged {
    const { policy, admission } = door;
    if (exchange.header("idempotency-key") !== undefined) {
      return refused(
        door,
        "not-implemented",
        501,
        "Idempotency-Key needs the spool, which this version does not have",
      );
    }
    const coding = exchange.header("transfer-encoding");
    if (coding !== undefined && coding.trim().toLowerCase() !== "chunked") {
      // `node:http` passes such a body on as it is, and whoever stood before us may have seen another one.
      const detail = `the transfer coding ${JSON.stringify(coding)} is not known; only chunked is`;
      return { ...refused(door, "not-implemented", 501, detail), close: true };
    }
    const cloudEvent = binaryCloudEvent(exchange);
    const type = exchange.header("content-type");
    const format = cloudEvent ? "octets" : formatOf(type);
    if (format === null) {
      return refused(
        door,
        "unsupported-media-type",
        415,
        unknownTypeReason(type!),
        [],
        {
          known: KNOWN_TYPES,
        },
      );
    }
    const encoding = (exchange.header("content-encoding") ?? "identity").trim().toLowerCase() || "identity";
    if (!KNOWN_ENCODINGS.includes(encoding)) {
      const headers = ["Accept-Encoding", KNOWN_ENCODINGS.slice(1).join(", ")];
      return refused(
        door,
        "unsupported-media-type",
        415,
        `the encoding ${JSON.stringify(encoding)} is not known`,
        headers,
        {
          known: KNOWN_ENCODINGS,
        },
      );
    }
    const lengthText = exchange.header("content-length");
    const contentLength = lengthText === undefined ? -1 : Number(lengthText);
    if (contentLength > policy.maxBodyBytes && encoding === "identity") {
      const detail = `the body of ${lengthText} bytes is over maxBodyBytes ${policy.maxBodyBytes}`;
      return refused(door, "body-too-large", 413, detail);
    }
    if (contentLength > policy.maxRecordBytes && encoding === "identity" && format === "octets") {
      const detail = `the record of ${lengthText} bytes is over maxRecordBytes ${policy.maxRecordBytes}`;
      return refused(door, "record-too-large", 413, detail);
    }
    const down = policy.ack === "delivered" ? door.downSink() : null;
    if (down !== null) {
      const seconds = admission.retryAfterSeconds(Math.max(0, contentLength));
      return refused(
        door,
        "sink-down",
        503,
        `the sink "${down}" is down and the ack waits for it; try again in ${seconds} s`,
        [
          "Retry-After",
          String(seconds),
        ],
      );
    }
    if (admission.quota !== null && !admission.quotaIsOpen()) {
      const bytes = Math.max(1, contentLength);
      const seconds = admission.quotaRetryAfterSeconds(admission.partition.recordsIn(bytes), bytes);
      return refused(
        door,
        "quota-exceeded",
        429,
        `the stream's quota is used up; try again in ${seconds} s`,
        [
          "Retry-After",
          String(seconds),
        ],
      );
    }
    if (cloudEvent) {
      const fault = headerFault(cloudEvent);
      if (fault !== null) return refused(door, "bad-request", 400, fault);
    }
    const keyHeader = exchange.header("x-weir-key");
    const key = keyHeader !== undefined
      ? utf8Of(keyHeader)
      : (query === "" ? null : new URLSearchParams(query).get("key"));
    const shared = sharedMetaOf(door, exchange, key || null, cloudEvent);
    if ("tooLarge" in shared) return refused(door, "headers-too-large", 431, shared.tooLarge);
    const head: IngestHead = {
      format,
      encoding,
      contentLength,
      shared: shared.meta,
      isCloudEvent: cloudEvent !== null,
    };
    return { kind: "taken", door, head };
  }
}

function refused(
  door: StreamDoor | null,
  kind: ProblemKind,
  status: number,
  detail: string,
  headers: readonly string[] = [],
  members: Readonly<Record<string, unknown>> = {},
): Refused {
  const reply = problemReply(kind, status, detail, null, headers, members);
  return { kind: "refused", door, reply, close: false };
}

/** The `ce-*` headers and the body's own type, when the request is a CloudEvent in binary mode; else null. */
function binaryCloudEvent(exchange: Exchange): readonly (readonly [string, string])[] | null {
  if (exchange.header("ce-specversion") === undefined && exchange.header("ce-id") === undefined) return null;
  const type = exchange.header("content-type");
  if (type?.trim().toLowerCase().startsWith("application/cloudevents")) return null;
  const attributes: (readonly [string, string])[] = [];
  for (const [name, value] of exchange.headers()) if (name.startsWith("ce-")) attributes.push([name, value]);
  if (type !== undefined) attributes.push(["content-type", type]);
  return attributes;
}
