/**
 * Keeps the last commit from being undone by the next abort.
 *
 * A broker that dies just after it has answered a commit may not have written all of its marks, and one that starts (Kafka
 * 4.3) writes none into partitions that it has not heard of yet. There the transaction stays open for readers until the
 * same producer ends another one, and an abort would then take the records of both. So where the connection to the
 * coordinator is another than the one that the commit was answered on, a transaction without records comes first, over the
 * same partitions.
 *
 * @module
 */
import type { ProducerIdentity } from "./record_batch.ts";
import { type TopicPartitions, TransactionError } from "./transaction_coordinator.ts";
import type { TransactionParts } from "./transaction_parts.ts";

/** A broker that has just started may not have heard of a topic yet; one that was deleted is missing for longer. */
export const BELIEVED_GONE_MS = 10_000;

/** The last commit of one writer. */
export class CommitSeal {
  readonly #parts: TransactionParts;
  #partitions: TopicPartitions | null = null;
  #connections = 0;
  #refusedSinceMs = Infinity;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  /** A transaction over `partitions` was committed just now. */
  committed(partitions: TopicPartitions): void {
    this.#partitions = partitions;
    this.#connections = this.#parts.coordinator.connections;
    this.#refusedSinceMs = Infinity;
  }

  /**
   * Resolves when nothing that `identity` aborts from now on can be of the last commit. Rejects with TransactionError
   * where that is not known; to be called again then.
   */
  async close(identity: ProducerIdentity): Promise<void> {
    const { coordinator } = this.#parts;
    if (this.#partitions === null || await coordinator.connect() === this.#connections) return;
    try {
      await coordinator.commitEmpty(identity, this.#partitions);
      this.committed(this.#partitions);
    } catch (error) {
      if (!(error instanceof TransactionError && error.refusal === "refused")) throw error;
      this.#refused(error);
    }
  }

  #refused(error: TransactionError): void {
    const { clock, log } = this.#parts.context;
    this.#refusedSinceMs = Math.min(this.#refusedSinceMs, clock.nowMs());
    if (clock.nowMs() - this.#refusedSinceMs < BELIEVED_GONE_MS) throw error;
    log.warn("the partitions of the last transaction cannot be written any more: goes on without them", {
      reason: error.message,
    });
    this.#partitions = null;
  }
}
