/**
 * The WebSocket door: `GET /v1/streams/{stream}` with `Upgrade: websocket`, on the same port as HTTP.
 *
 * By `ws`, because it is the only server measured here under which a socket that is not read closes the sender's window:
 * the one that is built in took 200 MB in half a second. What can be refused is refused before the upgrade, as HTTP.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
// @ts-types="@types/ws"
import type { WebSocket, WebSocketServer } from "ws";
import { assert } from "../core/assert.ts";
import type { Clock } from "../core/clock.ts";
import type { RecordMeta } from "../core/record.ts";
import { CreditWindow } from "./credit_window.ts";
import { type DoorKeeper, STREAMS_PATH } from "./http_ingress.ts";
import { mayConnectFrom } from "./origin.ts";
import type { PartialBudget } from "./partial_budget.ts";
import { type ProblemKind, problemReply, type Reply } from "./replies.ts";
import { sharedMetaOf, utf8Of } from "./shared_meta.ts";
import { type SocketTimes, SocketWatch } from "./socket_watch.ts";
import type { StreamDoor } from "./stream_door.ts";
import { WebSocketConnection } from "./websocket_connection.ts";
import { parsingOf } from "./websocket_parsing.ts";
import { SUBPROTOCOL, WebSocketSession } from "./websocket_session.ts";

/** Frames of one message, and chunks of one frame, that are kept: a message of one byte per frame would cost a hundred times its size. */
const MAX_PARTS = 4_096;
/** A client that was told that the connection closes has so long to close it too, ms. */
const CLOSE_MS = 1_000;

/** The door. */
export class WebSocketIngress {
  readonly #keeper: DoorKeeper;
  readonly #budget: PartialBudget;
  readonly #clock: Clock;
  readonly #sessionId: () => string;
  readonly #servers: WeakMap<StreamDoor, WebSocketServer> = new WeakMap();
  readonly #watch: SocketWatch;
  #Server: typeof WebSocketServer | null = null;

  /** `sessionId` gives the ids of `weir.v1` sessions. */
  constructor(options: {
    keeper: DoorKeeper;
    budget: PartialBudget;
    clock: Clock;
    times: SocketTimes;
    sessionId: () => string;
  }) {
    this.#keeper = options.keeper;
    this.#budget = options.budget;
    this.#clock = options.clock;
    this.#watch = new SocketWatch(options.clock, options.times);
    this.#sessionId = options.sessionId;
  }

  /** Loads ws, which reads the environment as it is loaded: without the right to, the caller can say so. */
  async open(): Promise<void> {
    // @ts-types="@types/ws"
    const { WebSocketServer } = await import("ws");
    this.#Server = WebSocketServer;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#watch.size;
  }

  /** Whether `request` asks for a WebSocket: any other upgrade is no concern of the gateway's, and the request is served as it is. */
  static isAsked(request: IncomingMessage): boolean {
    return request.headers.upgrade?.toLowerCase() === "websocket";
  }

  /** Answers an upgrade: with 101 and a connection, or a refusal. `head` is what came behind the request. */
  upgrade(request: IncomingMessage, socket: Socket, head: Uint8Array): void {
    // Until ws has it, nobody else listens.
    const ignore = () => {};
    socket.on("error", ignore);
    const judged = this.#judge(request);
    if ("reply" in judged) {
      judged.door?.answered(judged.reply.status);
      refuse(socket, judged.reply);
      return;
    }
    const { door } = judged;
    this.#serverOf(door).handleUpgrade(request, socket, Buffer.from(head), (webSocket) => {
      socket.off("error", ignore);
      door.answered(101);
      this.#begin(webSocket, socket, judged);
    });
  }

  /** Ends every connection now. */
  cut(): void {
    this.#watch.cut();
  }

  #begin(socket: WebSocket, raw: Socket, { door, meta }: Accepted): void {
    const connection = new WebSocketConnection({
      socket,
      door,
      budget: this.#budget,
      parsing: parsingOf(socket, raw),
      meta,
      onClosing: () => this.#clock.setTimer(() => connection.terminate(), CLOSE_MS),
      onGone: () => this.#watch.remove(connection),
    });
    this.#watch.add(connection, socket);
    if (socket.protocol === SUBPROTOCOL) {
      const session = new WebSocketSession({
        id: this.#sessionId(),
        socket,
        connection,
        door,
        window: new CreditWindow(door.windows),
      });
      connection.observe(session);
      session.begin();
    }
  }

  #serverOf(door: StreamDoor): WebSocketServer {
    let server = this.#servers.get(door);
    if (server === undefined) {
      assert(this.#Server !== null, "upgrades come to a gateway that is open");
      const options = {
        noServer: true,
        clientTracking: false,
        perMessageDeflate: false,
        // A text message is a record of bytes like any other: whether it is UTF-8 is RFC 6455's rule all the same.
        skipUTF8Validation: false,
        maxPayload: door.policy.maxRecordBytes,
        maxFragments: MAX_PARTS,
        maxBufferedChunks: MAX_PARTS,
        handleProtocols: (offered: Set<string>) => offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false,
      };
      this.#servers.set(door, server = new this.#Server(options));
    }
    return server;
  }

  #judge(request: IncomingMessage): Accepted | Refused {
    const target = request.url ?? "";
    const query = target.indexOf("?");
    const path = query < 0 ? target : target.slice(0, query);
    const name = path.startsWith(STREAMS_PATH) ? path.slice(STREAMS_PATH.length) : "";
    const door = this.#keeper.door(name) ?? null;
    const seconds = this.#keeper.drainingSeconds();
    if (seconds > 0) return refused(door, "draining", 503, "the gateway is draining; connect again", seconds);
    if (door === null) {
      return refused(null, "not-found", 404, `there is no stream at ${JSON.stringify(path.slice(0, 100))}`);
    }
    const { origin, host } = request.headers;
    if (!mayConnectFrom(origin, host, door.policy.origins)) {
      const detail = `pages of ${
        JSON.stringify(origin)
      } may not connect; list them in streams.${name}.origins`;
      return refused(door, "forbidden", 403, detail);
    }
    const down = door.policy.ack === "delivered" ? door.downSink() : null;
    if (down !== null) {
      const detail = `the sink "${down}" is down and the ack waits for it`;
      return refused(door, "sink-down", 503, detail, door.admission.retryAfterSeconds(0));
    }
    const header = (name: string) => {
      const value = request.headers[name];
      return typeof value === "string" ? value : value?.[0];
    };
    const keyHeader = header("x-weir-key");
    const keyParameter = query < 0 ? null : new URLSearchParams(target.slice(query + 1)).get("key");
    const key = keyHeader !== undefined ? utf8Of(keyHeader) : keyParameter;
    const shared = sharedMetaOf(door, { header }, key || null, null);
    if ("tooLarge" in shared) return refused(door, "headers-too-large", 431, shared.tooLarge);
    return { door, meta: shared.meta };
  }
}

interface Accepted {
  readonly door: StreamDoor;
  /** What the records of the connection share beside the moment, or null. */
  readonly meta: RecordMeta | null;
}

interface Refused {
  readonly door: StreamDoor | null;
  readonly reply: Reply;
}

function refused(
  door: StreamDoor | null,
  kind: ProblemKind,
  status: number,
  detail: string,
  retryAfterSeconds = 0,
): Refused {
  const headers = retryAfterSeconds > 0 ? ["Retry-After", String(retryAfterSeconds)] : [];
  return { door, reply: problemReply(kind, status, detail, null, headers) };
}

/** Writes a whole answer and closes: behind a request for an upgrade nothing else can come. */
function refuse(socket: Socket, { status, headers, body }: Reply): void {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`];
  for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  lines.push(`Content-Length: ${new TextEncoder().encode(body).length}`, "Connection: close", "", body);
  socket.end(lines.join("\r\n"));
  // An upgrade took it from the server, which would end it: a client that does not close would hold it for ever.
  socket.destroySoon();
}
