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
import type { Clock, Timer } from "../core/clock.ts";
import type { RecordMeta } from "../core/record.ts";
import { CreditWindow } from "./credit_window.ts";
import { type DoorKeeper, STREAMS_PATH } from "./http_ingress.ts";
import { mayConnectFrom } from "./origin.ts";
import type { PartialBudget } from "./partial_budget.ts";
import { type ProblemKind, problemReply, type Reply } from "./replies.ts";
import { sharedMetaOf, utf8Of } from "./shared_meta.ts";
import type { StreamDoor } from "./stream_door.ts";
import { Close } from "./websocket_close.ts";
import { WebSocketConnection } from "./websocket_connection.ts";
import { parsingOf } from "./websocket_parsing.ts";
import { SUBPROTOCOL, WebSocketSession } from "./websocket_session.ts";

/** Frames of one message, and chunks of one frame, that are kept: a message of one byte per frame would cost a hundred times its size. */
const MAX_PARTS = 4_096;
/** A client that was told that the connection closes has so long to close it too, ms. */
const CLOSE_MS = 1_000;
/** Pings without an answer after which a connection is dead. */
const MAX_MISSED = 2;

/** Times of a connection, ms. */
export interface SocketTimes {
  /** How often an idle connection is asked whether it is alive; 0 never. */
  readonly pingMs: number;
  /** After so long without a message a connection is closed; 0 never. */
  readonly idleTimeoutMs: number;
}

/** What is known of a connection beside its messages. */
interface Alive {
  readonly socket: WebSocket;
  readonly connection: WebSocketConnection;
  missed: number;
}

/** The door. */
export class WebSocketIngress {
  readonly #keeper: DoorKeeper;
  readonly #budget: PartialBudget;
  readonly #clock: Clock;
  readonly #times: SocketTimes;
  readonly #sessionId: () => string;
  readonly #servers: WeakMap<StreamDoor, WebSocketServer> = new WeakMap();
  readonly #alive: Map<WebSocketConnection, Alive> = new Map();
  #Server: typeof WebSocketServer | null = null;
  #timer: Timer | null = null;

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
    this.#times = options.times;
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
    return this.#alive.size;
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
    for (const { connection } of [...this.#alive.values()]) connection.terminate();
    this.#timer?.cancel();
    this.#timer = null;
  }

  #begin(socket: WebSocket, raw: Socket, { door, meta }: Accepted): void {
    const connection = new WebSocketConnection({
      socket,
      door,
      budget: this.#budget,
      parsing: parsingOf(socket, raw),
      meta,
      onClosing: () => this.#clock.setTimer(() => connection.terminate(), CLOSE_MS),
      onGone: () => this.#alive.delete(connection),
    });
    const alive: Alive = { socket, connection, missed: 0 };
    this.#alive.set(connection, alive);
    socket.on("pong", () => alive.missed = 0);
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
    if (this.#times.pingMs > 0) this.#timer ??= this.#clock.setTimer(() => this.#look(), this.#times.pingMs);
  }

  /** Asks who is silent whether he is there, and closes who was silent for too long. */
  #look(): void {
    const { pingMs, idleTimeoutMs } = this.#times;
    this.#timer = this.#alive.size > 0 ? this.#clock.setTimer(() => this.#look(), pingMs) : null;
    const now = this.#clock.nowMs();
    for (const alive of [...this.#alive.values()]) {
      const { socket, connection } = alive;
      const silentMs = now - connection.lastByteMs;
      // What is not read cannot answer; its client learns that we are here by the ping.
      if (connection.paused) {
        alive.missed = 0;
        socket.ping();
      } else if (idleTimeoutMs > 0 && silentMs >= idleTimeoutMs) {
        connection.close(Close.GOING_AWAY, `no message within idleTimeoutMs ${idleTimeoutMs}`);
      } else if (silentMs < pingMs) alive.missed = 0;
      else if (alive.missed++ >= MAX_MISSED) connection.terminate();
      else socket.ping();
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
}
