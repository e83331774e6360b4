// @ts-check
/**
 * Sends records to a Weir stream by its WebSocket subprotocol `weir.v1`, from browsers, Deno and Node.
 *
 * One file of plain JavaScript, because that is what all three run as it is; its types stand in comments, which
 * TypeScript and editors read. What was sent is kept until the gateway says that it is stored, and is sent again on a
 * new connection otherwise: each record is stored at least once, and twice only where its ack was lost on the way.
 *
 * @module
 */

/** What keeping a record costs beside its bytes; it also bounds how many tiny ones are kept. */
const RECORD_BYTES = 64;
/** Close codes (RFC 6455, 7.4.1): the gateway goes away as it should, and a message was over its limit. */
const GOING_AWAY = 1001;
const TOO_BIG = 1009;

/**
 * `connecting`: up to the gateway's greeting; `open`: records go out as the gateway has room; `waiting`: for the next
 * attempt; `closed`: for good.
 * @typedef {"connecting" | "open" | "waiting" | "closed"} WeirClientState
 */

/**
 * @typedef {object} WeirClientOptions
 * @property {number} [maxUnackedBytes] What is kept for sending again, 64 bytes for each record included: at this much,
 *   `ready` waits. Default 1 MiB. One record may go beyond.
 * @property {number} [helloTimeoutMs] A connection that has not greeted by then is given up. Default 10 s.
 * @property {number} [ackTimeoutMs] A connection that owes an ack and is silent for so long counts as dead. A stalled
 *   sink looks the same, and what is sent again then may be stored twice: set it above the longest stall that you
 *   expect. Default 2 minutes; 0 never.
 * @property {number} [minBackoffMs] Pause before the first attempt to connect again, doubled with each; the real one is
 *   between half of it and all. Default 250 ms.
 * @property {number} [maxBackoffMs] Longest pause. Default 10 s.
 * @property {(number: number) => void} [onAck] Every record up to this one is stored, or was rejected.
 * @property {(number: number, reason: string, record: Uint8Array) => void} [onReject] This record will never be stored.
 * @property {(state: WeirClientState, reason: string) => void} [onState] The state is another one, and why.
 */

/** @typedef {{ readonly number: number, readonly bytes: Uint8Array<ArrayBuffer>, isRejected: boolean }} KeptRecord */

/** A client. It connects at once, and again whenever the connection is lost, until `close`. */
export class WeirClient {
  #url;
  #options;
  /** @type {WeirClientState} */
  #state = "waiting";
  /** @type {WebSocket | null} */
  #socket = null;
  /** The one thing that is waited for: the greeting, an ack, or the next attempt. @type {number | undefined} */
  #timer;
  /** Attempts since the last ack. */
  #attempts = 0;

  /** Not acked, oldest first; the first `#inFlight` of them were sent on this connection. @type {KeptRecord[]} */
  #kept = [];
  #keptBytes = 0;
  #inFlight = 0;
  /** Messages of this connection that are acked: a session counts from 1. */
  #ackedInSession = 0;
  #lastNumber = 0;
  #credit = 0;
  #creditBytes = 0;

  /** @type {Promise<void> | null} */
  #whenReady = null;
  /** Ends the wait of `ready`, with an error or without. @type {(error?: Error) => void} */
  #tellReady = () => {};
  /** Ends the wait of `close`. */
  #tellSettled = () => {};
  /** @type {Promise<Uint8Array[]> | null} */
  #closing = null;

  /**
   * @param {string | URL} url `ws://HOST:PORT/v1/streams/STREAM`, or `wss:`; `?key=` is the key of all records.
   * @param {WeirClientOptions} [options]
   */
  constructor(url, options = {}) {
    this.#url = url;
    this.#options = {
      maxUnackedBytes: 1_048_576,
      helloTimeoutMs: 10_000,
      ackTimeoutMs: 120_000,
      minBackoffMs: 250,
      maxBackoffMs: 10_000,
      onAck: () => {},
      onReject: () => {},
      onState: () => {},
      ...options,
    };
    this.#connect();
  }

  /** What the connection does. @returns {WeirClientState} */
  get state() {
    return this.#state;
  }

  /** Records that are kept because they are not acked. @returns {number} */
  get unackedRecords() {
    return this.#kept.length;
  }

  /** What they take of `maxUnackedBytes`. @returns {number} */
  get unackedBytes() {
    return this.#keptBytes;
  }

  /** How much the gateway has room for now. @returns {{ records: number, bytes: number }} */
  get credit() {
    return { records: this.#credit, bytes: this.#creditBytes };
  }

  /** Whether `send` takes a record now. @returns {boolean} */
  get isReady() {
    return this.#closing === null && this.#keptBytes < this.#options.maxUnackedBytes;
  }

  /** Resolves when `send` takes a record; rejects when the client is closed. @returns {Promise<void>} */
  get ready() {
    if (this.#closing !== null) return Promise.reject(closedError());
    if (this.isReady) return Promise.resolve();
    this.#whenReady ??= new Promise((resolve, reject) => {
      this.#tellReady = (error) => error === undefined ? resolve() : reject(error);
    });
    return this.#whenReady;
  }

  /**
   * Takes a record: text, or bytes, which are copied. It leaves as soon as the gateway has room.
   *
   * @param {string | ArrayBuffer | ArrayBufferView} record
   * @returns {number} Its number, from 1 and by 1, as `onAck` and `onReject` tell it.
   * @throws {Error} When the client is closed, or not ready.
   */
  send(record) {
    if (this.#closing !== null) throw closedError();
    if (!this.isReady) {
      throw new Error(
        `Cannot send: ${this.#keptBytes} bytes are not acked and maxUnackedBytes is ` +
          `${this.#options.maxUnackedBytes}; await client.ready before each send`,
      );
    }
    const bytes = bytesOf(record);
    this.#kept.push({ number: ++this.#lastNumber, bytes, isRejected: false });
    this.#keptBytes += bytes.length + RECORD_BYTES;
    this.#pump();
    return this.#lastNumber;
  }

  /**
   * Waits until every record is acked, for 10 s or until `signal` is aborted, then closes for good.
   *
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Uint8Array[]>} The records that are not acked, oldest first; they may be stored all the same.
   */
  close({ signal = AbortSignal.timeout(10_000) } = {}) {
    if (this.#closing === null) {
      this.#closing = this.#close(signal);
      this.#tellReady(closedError());
    }
    return this.#closing;
  }

  /** @param {AbortSignal} signal */
  async #close(signal) {
    await new Promise((resolve) => {
      this.#tellSettled = () => resolve(undefined);
      if (this.#kept.length === 0 || signal.aborted) this.#tellSettled();
      signal.addEventListener("abort", this.#tellSettled, { once: true });
    });
    signal.removeEventListener("abort", this.#tellSettled);
    this.#leave();
    this.#setState("closed", "by close()");
    return this.#kept.filter((record) => !record.isRejected).map((record) => record.bytes);
  }

  #connect() {
    const socket = new WebSocket(this.#url, "weir.v1");
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
    // Node tells a refused connection by an error alone; elsewhere a close follows, which says no more.
    socket.onerror = () => this.#state === "connecting" && this.#lost("there is no connection to be had");
    this.#wait(this.#options.helloTimeoutMs, () => this.#lost("no greeting within helloTimeoutMs"));
    this.#setState("connecting", `attempt ${++this.#attempts}`);
  }

  /** @param {unknown} data */
  #receive(data) {
    const message = parse(data);
    if (message === null || (this.#state === "connecting") !== ("hello" in message)) {
      this.#lost(`the other side does not speak weir.v1: ${String(data).slice(0, 100)}`);
      return;
    }
    this.#credit += message.credit ?? 0;
    this.#creditBytes += message.creditBytes ?? 0;
    try {
      if (message.hello !== undefined) this.#setState("open", `session ${message.hello}`);
      if (message.reject !== undefined) this.#reject(message.reject, message.reason ?? "");
      if (message.ack !== undefined) this.#ack(message.ack);
    } finally {
      this.#pump();
      this.#expectAck();
    }
  }

  /** Messages up to `last` have their outcome. @param {number} last */
  #ack(last) {
    const count = last - this.#ackedInSession;
    if (!(count > 0 && count <= this.#inFlight)) {
      this.#lost(`the gateway acked message ${last}, which is not open`);
      return;
    }
    const settled = this.#kept.splice(0, count);
    for (const { bytes } of settled) this.#keptBytes -= bytes.length + RECORD_BYTES;
    this.#inFlight -= count;
    this.#ackedInSession = last;
    this.#attempts = 0;
    this.#madeRoom();
    this.#options.onAck(settled[count - 1].number);
  }

  /** Message `number` of this connection will never be stored. @param {number} number @param {string} reason */
  #reject(number, reason) {
    const index = number - this.#ackedInSession - 1;
    if (!(index >= 0 && index < this.#inFlight)) {
      this.#lost(`the gateway rejected message ${number}, which is not open`);
      return;
    }
    const record = this.#kept[index];
    record.isRejected = true;
    this.#options.onReject(record.number, reason, record.bytes);
  }

  #madeRoom() {
    if (this.#kept.length === 0 && this.#closing !== null) this.#tellSettled();
    if (!this.isReady) return;
    this.#tellReady();
    this.#whenReady = null;
  }

  /** Sends what the gateway has room for. */
  #pump() {
    if (this.#state !== "open") return;
    const wasIdle = this.#inFlight === 0;
    while (this.#inFlight < this.#kept.length && this.#credit > 0) {
      const { bytes } = this.#kept[this.#inFlight];
      // A record longer than the gateway's whole window would wait for ever: alone, it may go beyond it.
      if (bytes.length > this.#creditBytes && this.#inFlight > 0) break;
      this.#credit--;
      this.#creditBytes -= bytes.length;
      this.#inFlight++;
      this.#socket?.send(bytes);
    }
    if (wasIdle) this.#expectAck();
  }

  #expectAck() {
    if (this.#state !== "open") return;
    clearTimeout(this.#timer);
    const { ackTimeoutMs } = this.#options;
    if (this.#inFlight === 0 || ackTimeoutMs === 0) return;
    this.#wait(ackTimeoutMs, () => this.#lost("no ack within ackTimeoutMs"));
  }

  /** @param {number} code @param {string} reason */
  #closed(code, reason) {
    if (code === GOING_AWAY) this.#attempts = 0;
    try {
      if (code === TOO_BIG && this.#inFlight > 0) this.#rejectLongest();
    } finally {
      this.#lost(`closed with ${code} ${reason}`.trimEnd());
    }
  }

  /** One of those in flight was too long, so the longest is; with it, every connection would end the same way. */
  #rejectLongest() {
    const lengths = this.#kept.slice(0, this.#inFlight).map(({ bytes }) => bytes.length);
    const longest = Math.max(...lengths);
    const number = this.#ackedInSession + 1 + lengths.indexOf(longest);
    this.#reject(number, `the gateway takes no message of ${longest} bytes`);
  }

  /** The connection is of no more use: what is not acked is sent again on the next. @param {string} reason */
  #lost(reason) {
    this.#leave();
    this.#kept = this.#kept.filter((record) => !record.isRejected);
    this.#keptBytes = this.#kept.reduce((sum, { bytes }) => sum + bytes.length + RECORD_BYTES, 0);
    this.#inFlight = 0;
    this.#ackedInSession = 0;
    this.#credit = 0;
    this.#creditBytes = 0;
    const { minBackoffMs, maxBackoffMs } = this.#options;
    const longestMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.max(0, this.#attempts - 1));
    this.#wait(longestMs * (0.5 + Math.random() / 2), () => this.#connect());
    this.#setState("waiting", reason);
    this.#madeRoom();
  }

  /** Lets the connection go without waiting for its end, which on a dead one takes minutes. */
  #leave() {
    clearTimeout(this.#timer);
    if (this.#socket === null) return;
    this.#socket.onmessage = this.#socket.onclose = this.#socket.onerror = null;
    this.#socket.close();
    this.#socket = null;
  }

  /** @param {number} ms @param {() => void} then */
  #wait(ms, then) {
    clearTimeout(this.#timer);
    this.#timer = Number(setTimeout(then, ms));
  }

  /** @param {WeirClientState} state @param {string} reason */
  #setState(state, reason) {
    this.#state = state;
    this.#options.onState(state, reason);
  }
}

/** @param {string | ArrayBuffer | ArrayBufferView} record */
function bytesOf(record) {
  if (typeof record === "string") return new TextEncoder().encode(record);
  const view = ArrayBuffer.isView(record)
    ? new Uint8Array(record.buffer, record.byteOffset, record.byteLength)
    : new Uint8Array(record);
  return new Uint8Array(view);
}

/**
 * What the gateway says; null where it is none of its words.
 *
 * @param {unknown} data
 * @returns {{ hello?: string, credit?: number, creditBytes?: number, ack?: number, reject?: number, reason?: string } | null}
 */
function parse(data) {
  if (typeof data !== "string") return null;
  try {
    const message = JSON.parse(data);
    return typeof message === "object" ? message : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function closedError() {
  return new Error("Cannot send: the client is closed; make a new one");
}
