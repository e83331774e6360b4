/**
 * A client of a simulation: sends one request in pieces, obeys pauses, may vanish, and checks its answer against the
 * book. It is also the exchange, so it sees whether it was answered once.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Timer } from "../../src/core/clock.ts";
import type { Exchange } from "../../src/ingress/exchange.ts";
import type { HttpIngress } from "../../src/ingress/http_ingress.ts";
import type { IngestRequest } from "../../src/ingress/ingest_request.ts";
import type { Reply } from "../../src/ingress/replies.ts";
import type { Book, RequestEntry } from "./book.ts";
import type { Chance } from "./chance.ts";
import type { SimBody } from "./sim_body.ts";
import type { SimClock } from "./sim_clock.ts";
import type { Provoked, Tally } from "./tally.ts";

/** What a client sends. */
export interface ClientPlan {
  readonly method: string;
  readonly target: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: SimBody;
  readonly chunks: readonly Uint8Array[];
  readonly chunked: boolean;
  /** Between two chunks. */
  readonly gapMs: readonly [number, number];
  /** When it vanishes, ms after it began; Infinity for never. */
  readonly patienceMs: number;
}

/** The connection of a client, which may send again when it was refused. */
export interface Connection {
  /** What the gateway keeps with it. */
  rank: { readonly age: number; readonly fromMs: number } | null;
}

/** What a client is given. */
export interface ClientParts {
  readonly ingress: HttpIngress;
  readonly clock: SimClock;
  readonly chance: Chance;
  readonly book: Book;
  readonly tally: Tally;
  readonly step: () => number;
  readonly connection: Connection;
  /** Sinks that an ack of the stream waits for, and all others of it; null for a stream that is not there. */
  readonly stream: { readonly acking: readonly string[]; readonly others: readonly string[] } | null;
  /** It was answered, or is gone. */
  readonly ended: (client: SimClient) => void;
}

/** How a request ended. */
export interface Ending {
  readonly atMs: number;
  readonly status: number;
  readonly accepted: number;
  /** `Retry-After`, or 0. */
  readonly retryAfterSeconds: number;
  readonly shed: Readonly<Record<string, number>>;
}

/** The client, and its exchange. */
export class SimClient implements Exchange {
  readonly plan: ClientPlan;
  readonly entry: RequestEntry;
  /** Its answer; null before, and for one that is gone. */
  ending: Ending | null = null;
  /** Whether it vanished before it was answered. */
  gone = false;
  readonly #parts: ClientParts;
  #ingest: IngestRequest | null = null;
  #next = 0;
  #paused = false;
  #timer: Timer | null = null;
  #vanish: Timer | null = null;
  #answers = 0;
  #ended = false;

  /** Begins nothing yet. */
  constructor(plan: ClientPlan, entry: RequestEntry, parts: ClientParts) {
    this.plan = plan;
    this.entry = entry;
    this.#parts = parts;
  }

  /** Sends the head, and perhaps the first bytes with it. */
  begin(): void {
    const { ingress, chance, clock, tally } = this.#parts;
    tally.add("requests");
    tally.add("records", this.entry.indexes.length);
    this.#ingest = ingress.begin(this.plan.method, this.plan.target, this);
    if (this.#answers > 0) return;
    if (this.plan.patienceMs < Infinity) {
      this.#vanish = clock.setTimer(() => this.#goAway(), this.plan.patienceMs);
    }
    if (chance.happens(0.7)) this.#send();
    else this.#schedule();
  }

  /** Whether its records are taken, as far as the gateway shows. */
  get isTaken(): boolean {
    return this.#ingest !== null && !this.#ingest.answer.reads;
  }

  header(name: string): string | undefined {
    return this.plan.headers.get(name);
  }

  headers(): Iterable<readonly [string, string]> {
    return this.plan.headers;
  }

  takeRank(nowMs: number): number {
    const { connection } = this.#parts;
    const { rank } = connection;
    connection.rank = null;
    return rank !== null && nowMs >= rank.fromMs ? rank.age : -1;
  }

  keepRank(age: number, fromMs: number): void {
    this.#parts.connection.rank = { age, fromMs };
  }

  pause(): void {
    if (!this.#paused) this.#parts.tally.add("pauses");
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#schedule();
  }

  reply(reply: Reply, body: "complete" | "unread", _close: boolean): void {
    assertEquals(++this.#answers, 1, `request ${this.entry.id} is answered once`);
    assert(!this.gone, `request ${this.entry.id} is answered after its client went`);
    const { tally } = this.#parts;
    const name = `answers ${reply.status}` as Provoked;
    if ([200, 202, 400, 413, 429, 503, 504].includes(reply.status)) tally.add(name);
    if (body === "complete") {
      assertEquals(this.#next, this.plan.chunks.length, "a complete body was sent whole");
    }
    const seconds = Number(reply.headers[reply.headers.indexOf("Retry-After") + 1]);
    if (reply.status === 429 || reply.status === 503) {
      assert(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, `Retry-After is ${seconds}`);
    }
    this.ending = this.#check(reply, seconds || 0);
    this.#end();
  }

  #check({ status, body }: Reply, retryAfterSeconds: number): Ending {
    const { book, stream } = this.#parts;
    const { entry, plan } = this;
    const { accepted, next, rejectedCount = 0, shed = {}, deadLettered = 0 } = JSON.parse(body);
    const taken = book.answered(entry, next);
    if (this.isTaken && entry.takenStep === Infinity) entry.takenStep = this.#parts.step();
    assertEquals(
      accepted,
      taken,
      `request ${entry.id}, ${status}: accepted are all valid records before next ${next}`,
    );
    if (status === 200 || status === 202) {
      assertEquals(next, plan.body.items, `request ${entry.id}: everything is consumed`);
      assertEquals(rejectedCount, plan.body.invalid, `request ${entry.id}: rejected`);
    } else if (status < 500 && !plan.body.streams) {
      assertEquals(
        accepted,
        0,
        `request ${entry.id}, ${status}: a body of this size is taken whole or not at all`,
      );
    }
    if (status === 200) {
      let dead = 0;
      for (const sink of stream!.acking) {
        const at = book.settledAt(entry, sink);
        assertEquals(at.settled, accepted, `request ${entry.id} is acked: records at sink ${sink}`);
        dead += at.dead;
      }
      assertEquals(deadLettered, dead, `request ${entry.id}: deadLettered`);
    }
    return { atMs: this.#parts.clock.nowMs(), status, accepted, retryAfterSeconds, shed };
  }

  /** After everything is delivered: what was accepted is at every sink, but for what was shed. */
  checkDelivered(): void {
    if (this.ending === null || this.#parts.stream === null) return;
    const { acking, others } = this.#parts.stream;
    for (const sink of [...acking, ...others]) {
      assertEquals(
        this.#parts.book.settledAt(this.entry, sink).settled,
        this.ending.accepted - (this.ending.shed[sink] ?? 0),
        `request ${this.entry.id}, ${this.ending.status}: accepted records at sink ${sink}`,
      );
    }
  }

  #schedule(): void {
    if (this.#timer !== null || this.#answers > 0 || this.gone) return;
    const [from, to] = this.plan.gapMs;
    this.#timer = this.#parts.clock.setTimer(() => {
      this.#timer = null;
      // What the server had read before it paused still comes.
      if (!this.#paused || this.#parts.chance.happens(0.1)) this.#send();
    }, this.#parts.chance.between(from, to));
  }

  #send(): void {
    const { chunks, chunked, body } = this.plan;
    if (this.#answers > 0 || this.gone || this.#ended) return;
    if (this.#next < chunks.length) {
      const chunk = chunks[this.#next++];
      if (this.#next === chunks.length && !body.streams) this.entry.lastByteStep = this.#parts.step();
      this.#ingest!.onData(chunk);
      if (this.#next < chunks.length || chunked) return this.#schedule();
    }
    // A body of known length ends with its last byte.
    this.#ended = true;
    if (this.#answers === 0) this.#ingest!.onEnd();
  }

  #goAway(): void {
    if (this.#answers > 0) return;
    this.#parts.tally.add("clients gone");
    this.gone = true;
    this.#ingest!.onGone();
    this.#end();
  }

  #end(): void {
    this.#timer?.cancel();
    this.#vanish?.cancel();
    this.#parts.ended(this);
  }
}
