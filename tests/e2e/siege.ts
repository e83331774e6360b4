/**
 * A gateway under attack, as a process, and what must hold whatever the attack is: a neighbour on a stream of its own is
 * served meanwhile, memory stays below the bound that the README gives, and afterwards everything lent is home and the
 * ledger adds up.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import { type Answer, HttpConnection, isConnectionLoss } from "../support/http_client.ts";
import { until } from "../ingress/open_door.ts";

const MIB = 1_048_576;
/** 16 MiB of segments: what is not bounded by them shows in the memory of the process. */
const BUFFERS = { segmentBytes: 32_768, segments: 512 };
const POOL_BYTES = BUFFERS.segmentBytes * BUFFERS.segments;
/** What a gateway may need beside its pool, whatever clients send, and for each connection. */
const REST_BYTES = 128 * MIB;
const CONNECTION_BYTES = 131_072;
/** An answer, or the end of the connection, is there by then, on two cores that other tests share. */
export const VERDICT_MS = 60_000;
/** The neighbour's pace: often enough to meet every phase of an attack. */
const NEIGHBOUR_MS = 20;
const NEIGHBOUR_POST = "POST /v1/streams/neighbour HTTP/1.1\r\nHost: weir\r\n";

/** What differs from a gateway whose stream `events` goes to the file `archive`. */
export interface SiegeOptions {
  /** Keys of the stream `events`. */
  readonly events?: Readonly<Record<string, unknown>>;
  /** Keys of the sink `archive`. */
  readonly archive?: Readonly<Record<string, unknown>>;
  readonly listen?: Readonly<Record<string, unknown>>;
  readonly admin?: Readonly<Record<string, unknown>>;
  readonly buffers?: Readonly<Record<string, unknown>>;
  /** Most connections that the attack holds at once. */
  readonly connections?: number;
  /** What the gateway may need beside its pool and for each connection; without it what it promises, 128 MiB. */
  readonly restBytes?: number;
}

/** How an attack's request ended: the status of its answer, or `closed` without one. */
export type Verdict = number | "closed";

/** The gateway, its neighbour, and the watch over both. */
export class Siege implements AsyncDisposable {
  readonly gateway: GatewayProcess;
  readonly #mayGrowBytes: number;
  readonly #idleRssBytes: number;
  readonly #neighbour: Promise<number>;
  #served = 0;
  #isOver = false;

  private constructor(gateway: GatewayProcess, mayGrowBytes: number) {
    this.gateway = gateway;
    this.#mayGrowBytes = mayGrowBytes;
    this.#idleRssBytes = gateway.program.usage().rssBytes;
    this.#neighbour = this.#serveNeighbour();
    // Told by `end`; a test that fails before must not be told of by an unhandled rejection.
    this.#neighbour.catch(() => {});
  }

  /** Starts the gateway and its neighbour. */
  static async start(options: SiegeOptions = {}): Promise<Siege> {
    const config: RawConfig = {
      listen: options.listen ?? {},
      admin: options.admin ?? {},
      buffers: { ...BUFFERS, ...options.buffers },
      streams: { events: { sinks: ["archive"], ...options.events }, neighbour: { sinks: ["calm"] } },
      sinks: {
        archive: { type: "file", path: "archive.ndjson", ...options.archive },
        calm: { type: "file", path: "calm.ndjson" },
      },
    };
    const { connections = 1, restBytes = REST_BYTES } = options;
    return new Siege(
      await GatewayProcess.start(config),
      POOL_BYTES + restBytes + connections * CONNECTION_BYTES,
    );
  }

  /** A connection to the data port. */
  connect(): Promise<HttpConnection> {
    return HttpConnection.open(this.gateway.port);
  }

  /** Sends `bytes` (text: one byte a character) on a connection of its own, and waits for the verdict. */
  async send(bytes: string | Uint8Array, port = this.gateway.port): Promise<Verdict> {
    using connection = await HttpConnection.open(port);
    const raw = typeof bytes === "string" ? latin1(bytes) : bytes;
    const [verdict] = await Promise.all([verdictOf(connection), connection.write(raw).catch(ignoreLoss)]);
    return verdict;
  }

  /** `POST /v1/streams/events` with a length. */
  async post(body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<Verdict> {
    using connection = await this.connect();
    return await verdictOf(connection, connection.request({ path: "/v1/streams/events", headers }, body));
  }

  /** The lines that `archive` holds. */
  async archived(): Promise<string[]> {
    return await linesOf(`${this.gateway.folder}/archive.ndjson`);
  }

  /** Ends the neighbour and judges: `accepted` records of `events` are stored, nothing is lent, memory was bounded. */
  async end(accepted: number): Promise<void> {
    await until(() => this.#isCalm(), "the gateway is calm again", VERDICT_MS);
    const servedUntilNow = this.#served;
    await until(
      () => this.#served > servedUntilNow + 1 || this.#isOver,
      "the neighbour is served",
      VERDICT_MS,
    );
    this.#isOver = true;
    const served = await this.#neighbour;
    assertEquals((await linesOf(`${this.gateway.folder}/calm.ndjson`)).length, served);
    const { balanced, rows } = await this.gateway.admin("/api/v1/ledger") as Ledger;
    assertEquals([balanced, rows.map((row) => row.accepted)], [true, [accepted, served]]);
    assertEquals((await this.archived()).length, accepted);
    this.assertMemory();
  }

  /** Throws when the process ever held more than it may. */
  assertMemory(): void {
    const grownBytes = this.gateway.program.usage().peakRssBytes - this.#idleRssBytes;
    const [grown, mayGrow] = [grownBytes, this.#mayGrowBytes].map((bytes) => Math.round(bytes / MIB));
    assert(grown <= mayGrow, `the gateway grew by ${grown} MiB, more than ${mayGrow}`);
  }

  /** Ends both. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#neighbour.catch(() => {});
    await this.gateway[Symbol.asyncDispose]();
  }

  async #serveNeighbour(): Promise<number> {
    try {
      using connection = await this.connect();
      for (; !this.#isOver; this.#served++) {
        // In one piece: between head and body a gateway that stands still would find it late.
        const body = `{"n":${this.#served}}`;
        await connection.write(`${NEIGHBOUR_POST}Content-Length: ${body.length}\r\n\r\n${body}`);
        const { status }: Answer = await deadline(connection.readAnswer(), VERDICT_MS);
        assertEquals(status, 200, `the neighbour's request ${this.#served}`);
        await delay(NEIGHBOUR_MS);
      }
      return this.#served;
    } finally {
      this.#isOver = true;
    }
  }

  async #isCalm(): Promise<boolean> {
    const { rows } = await this.gateway.admin("/api/v1/ledger") as Ledger;
    const { streams } = await this.gateway.admin("/api/v1/topology") as Topology;
    const events = streams.find(({ name }) => name === "events")!;
    // A stream that was used keeps its open segment.
    return rows[0].inFlight === 0 && events.openBodies === 0 && events.waiters === 0 && events.pool.lent <= 1;
  }
}

interface Ledger {
  readonly balanced: boolean;
  readonly rows: readonly { readonly accepted: number; readonly inFlight: number }[];
}

interface Topology {
  readonly streams: readonly {
    readonly name: string;
    readonly openBodies: number;
    readonly waiters: number;
    readonly pool: { readonly lent: number };
  }[];
}

/** The status of `answer`, the next that `connection` reads, or `closed`. Rejects when there is neither in time. */
export async function verdictOf(
  connection: HttpConnection,
  answer: Promise<Answer> = connection.readAnswer(),
): Promise<Verdict> {
  try {
    const { status }: Answer = await deadline(answer, VERDICT_MS);
    return status;
  } catch (error) {
    ignoreLoss(error);
    return "closed";
  }
}

/** Sends `chunk` again and again, until the gateway closes or `mostBytes` went; returns how many bytes did. */
export async function sendWithoutEnd(
  connection: HttpConnection,
  chunk: Uint8Array,
  mostBytes: number,
): Promise<number> {
  let sent = 0;
  try {
    for (; sent < mostBytes; sent += chunk.length) await connection.write(chunk);
  } catch (error) {
    if (!isConnectionLoss(error)) throw error;
  }
  return sent;
}

/** One byte for each character. */
export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** For writes to a gateway that may have closed: what it answered is what counts. */
export function ignoreLoss(error: unknown): void {
  if (!isConnectionLoss(error)) throw error;
}

async function linesOf(path: string): Promise<string[]> {
  try {
    return (await Deno.readTextFile(path)).split("\n").slice(0, -1);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
