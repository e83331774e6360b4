/**
 * How it is found out what became of a transaction whose commit got no good answer.
 *
 * First the commit is asked for again: a coordinator that has done it says so, and one that has not does it. Only where
 * the id is another's meanwhile, or the transaction was open for too long, is the id taken anew, so that it comes to its
 * end, and the position tells which end that was.
 *
 * A commit that is decided is not yet one that readers see. A coordinator that starts (Kafka 4.3) counts partitions that
 * it has not heard of yet as deleted, and writes no end of the transaction into them: for readers it stays open there,
 * until the same producer ends another one in the same partition. So one without records follows, over the same partitions.
 *
 * @module
 */
import { sleep } from "../../src/core/clock.ts";
import { BELIEVED_GONE_MS } from "./commit_seal.ts";
import type { PositionFate, StoredPosition } from "./position_topic.ts";
import type { ProducerIdentity } from "./record_batch.ts";
import { type Refusal, type TopicPartitions, TransactionError } from "./transaction_coordinator.ts";
import type { TransactionParts } from "./transaction_parts.ts";

/** As for a batch whose outcome is not known: no load for a broker that comes back, and soon there when it has. */
const DOUBT_STEP_MS = 100;
const MAX_DOUBT_WAIT_MS = 2000;
/** After these a coordinator may answer otherwise. */
const PASSING: readonly Refusal[] = ["busy", "unanswered", "unreachable"];

/** A transaction whose commit was asked for. */
export interface Transaction {
  /** Who holds it. */
  readonly identity: ProducerIdentity;
  /** All that it wrote to. */
  readonly partitions: TopicPartitions;
  /** Where its position is stored. */
  readonly position: StoredPosition;
}

/** Clears up doubts about the transactions of one writer. */
export class TransactionEnd {
  readonly #parts: TransactionParts;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  /**
   * Asks for the commit again, whose first answer was `doubt`, until there is an answer that holds: null when the
   * transaction is committed, else the refusal. Rejects where the sink is closed meanwhile.
   */
  async afterDoubt(
    { identity, partitions }: Transaction,
    doubt: TransactionError,
  ): Promise<TransactionError | null> {
    const { coordinator, context: { log, failing } } = this.#parts;
    log.warn("a transaction may be committed or not; it is asked for until that is known", {
      reason: doubt.message,
    });
    let isCommitted = false;
    for (let attempt = 0, last = doubt; PASSING.includes(last.refusal); attempt++) {
      await this.#pause(attempt);
      try {
        await coordinator.commit(identity);
        isCommitted = true;
        await coordinator.commitEmpty(identity, partitions);
        return null;
      } catch (error) {
        if (!(error instanceof TransactionError)) throw error;
        failing(error.message);
        last = doubt = error;
      }
    }
    return isCommitted ? null : doubt;
  }

  /** Asks until it is known whether a transaction was committed whose id is to be taken anew, or another's. */
  async isCommitted({ position }: Transaction): Promise<boolean> {
    const { clock, failing, log } = this.#parts.context;
    let goneSinceMs = Infinity;
    for (let attempt = 0;; attempt++) {
      const fate = await this.#fateOf(position);
      if (fate.kind === "committed") return true;
      if (fate.kind === "aborted") return false;
      goneSinceMs = fate.kind === "gone" ? Math.min(goneSinceMs, clock.nowMs()) : Infinity;
      if (clock.nowMs() - goneSinceMs >= BELIEVED_GONE_MS) {
        log.error("the position of a transaction is gone, so its records may be stored twice", {
          reason: fate.reason,
        });
        return false;
      }
      failing(fate.reason);
      await this.#pause(attempt);
    }
  }

  async #fateOf(position: StoredPosition): Promise<PositionFate> {
    const { context, positions, fences } = this.#parts;
    try {
      // Ends the transaction. Where the id is another gateway's, that one has.
      if (fences.verdict === null) await context.producer.ready();
    } catch (error) {
      if (error instanceof TransactionError) return { kind: "hidden", reason: error.message };
      throw error;
    }
    return await positions.fateOf(position);
  }

  async #pause(attempt: number): Promise<void> {
    const { clock, closing } = this.#parts.context;
    await sleep(clock, Math.min(MAX_DOUBT_WAIT_MS, DOUBT_STEP_MS * 2 ** Math.min(attempt, 10)), closing);
  }
}
