/**
 * What a request is told. Its records are counted as they are taken, refused and shed; one answer goes out when the
 * outcome that the ack promises is known, or when it is known that it will not be.
 *
 * @module
 */
import { AckCounter, type AckOwner } from "../partition/acks.ts";
import type { Committed } from "../partition/result_partition.ts";
import type { Dated } from "./deadline_queue.ts";
import type { Exchange } from "./exchange.ts";
import type { Framer, RejectedRecord } from "./framer.ts";
import { notDelivered, type Refusal, STOPPED } from "./refusals.ts";
import { allTakenReply, problemReply, type Reply, resultReply, type Tally } from "./replies.ts";
import type { ActiveRequest, StreamDoor } from "./stream_door.ts";

const NONE: readonly RejectedRecord[] = [];

/** The body of a request, as its answer sees it. */
export interface AnsweredBody {
  /** Whether the client has sent all of it. */
  readonly isComplete: boolean;
  /** Whether it is taken as it comes, and not whole or not at all. */
  readonly isStreamed: boolean;
  /** Gives back what is held for it and not handed over. */
  letGo(): void;
}

/** The answer to a request; the door's `active` holds it until it is given. */
export class IngestAnswer implements Tally, ActiveRequest, AckOwner, Dated {
  accepted = 0;
  nextIndex = 0;
  rejectedCount = 0;
  rejected: readonly RejectedRecord[] = NONE;
  shed: Record<string, number> | null = null;
  dueMs = 0;
  previous: Dated | null = null;
  next: Dated | null = null;
  readonly #door: StreamDoor;
  readonly #exchange: Exchange;
  readonly #body: AnsweredBody;
  #counter: AckCounter | null = null;
  #isGiven = false;
  /** Every record is taken; only the outcome is waited for. */
  #isTaken = false;

  /** Answers to `exchange` for `body`. */
  constructor(door: StreamDoor, exchange: Exchange, body: AnsweredBody) {
    this.#door = door;
    this.#exchange = exchange;
    this.#body = body;
    door.active.add(this);
  }

  /** Whether the answer is out, or nobody is there any more to take it. */
  get isGiven(): boolean {
    return this.#isGiven;
  }

  get reads(): boolean {
    return !this.#isGiven && !this.#isTaken;
  }

  get deadLettered(): number {
    return this.#counter?.deadLettered ?? 0;
  }

  /** Counts the deliveries of the records, where the ack waits for them; else null. */
  counter(): AckCounter | null {
    if (this.#door.policy.ack === "memory") return null;
    return this.#counter ??= new AckCounter(this);
  }

  /** What `framer` has read is done with for good: records beyond it are given back, and the client sends them again. */
  consumed(framer: Framer): void {
    this.nextIndex = framer.index;
    this.rejectedCount = framer.rejectedCount;
    this.rejected = framer.rejected;
  }

  /** The records of `committed` are the stream's. */
  committed(committed: Committed): void {
    this.accepted += committed.records;
    if (committed.shedMask === 0 || committed.records === 0) return;
    const shed = this.shed ??= {};
    let last = "";
    this.#door.laneSinks.forEach((sink, lane) => {
      if (committed.shedMask & (1 << lane) && sink !== last) {
        shed[sink] = (shed[sink] ?? 0) + committed.records;
      }
      last = sink;
    });
  }

  /** The body is complete and its records are taken: answers now, or when they are settled. */
  taken(): void {
    const counter = this.#counter;
    if (counter === null) {
      this.#answerTaken(202);
      return;
    }
    this.#isTaken = true;
    this.#door.readingEnded();
    counter.seal();
    if (!this.#isGiven) this.#door.deliveries.add(this);
  }

  allSettled(): void {
    this.#answerTaken(200);
  }

  late(): void {
    this.refuse(notDelivered(this.#door.policy.deliverTimeoutMs));
  }

  /** The gateway stops: a request that waits for delivery is told so. */
  stop(): void {
    if (!this.#isGiven) this.refuse(STOPPED);
  }

  /** Answers with a problem, what was taken before beside it. */
  refuse({ kind, status, detail, headers }: Refusal): void {
    this.#body.letGo();
    // Records handed over before stay accepted; the counter goes on without anyone waiting.
    this.#counter?.abandon();
    this.#answer(problemReply(kind, status, detail, this, headers));
  }

  /** The client is gone. Records that were accepted stay so. */
  abandon(): void {
    this.#counter?.abandon();
    this.#body.letGo();
    this.#end();
  }

  #answerTaken(status: 200 | 202): void {
    const plain = this.rejectedCount === 0 && this.shed === null && this.nextIndex === this.accepted &&
      (this.#counter === null || this.#counter.deadLettered === 0);
    this.#answer(plain ? allTakenReply(status, this.accepted) : resultReply(status, this));
  }

  #answer(reply: Reply): void {
    if (this.#isGiven) return;
    this.#end();
    this.#door.answered(reply.status);
    this.#door.rejectedRecords += this.rejectedCount;
    const { isComplete, isStreamed } = this.#body;
    this.#exchange.reply(
      this.#door.withRateLimit(reply),
      isComplete ? "complete" : "unread",
      isStreamed && reply.status === 429,
    );
  }

  #end(): void {
    this.#isGiven = true;
    this.#door.deliveries.remove(this);
    this.#door.active.delete(this);
    this.#door.readingEnded();
  }
}
