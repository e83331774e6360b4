/**
 * Writes in transactions, one after the other: the records of a write and its position, together or not at all.
 *
 * Nothing is stored before the commit is asked for, so whatever goes wrong until then gives all records back, and the next
 * write takes the id anew, which aborts what this one left. Only a commit without a good answer leaves a doubt, which
 * {@linkcode TransactionEnd} clears up.
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";
import { sleep } from "../../src/core/clock.ts";
import type { Batch } from "../../src/sink/adapter.ts";
import { UnreachableError } from "./cluster.ts";
import { CommitSeal } from "./commit_seal.ts";
import { Delivery } from "./delivery.ts";
import { WriteOutcomes } from "./outcomes.ts";
import type { PartitionRun } from "./partition_run.ts";
import type { PositionRecord } from "./position_topic.ts";
import type { ProducerIdentity } from "./record_batch.ts";
import { TransactionError } from "./transaction_coordinator.ts";
import { type Transaction, TransactionEnd } from "./transaction_end.ts";
import type { TransactionParts } from "./transaction_parts.ts";

/** A coordinator is busy with the end of the transaction before for some ms. */
const BUSY_STEP_MS = 5;
const MAX_BUSY_WAIT_MS = 500;

/** Transactions of one writer. */
export class Transactions {
  readonly #parts: TransactionParts;
  readonly #end: TransactionEnd;
  readonly #seal: CommitSeal;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
    this.#end = new TransactionEnd(parts);
    this.#seal = new CommitSeal(parts);
  }

  /** Asks for the topic of positions and for the right to the id. */
  async check(signal: AbortSignal): Promise<void> {
    if (this.#parts.fences.verdict !== null) throw new Error(this.#parts.fences.verdict);
    await this.#ready(signal);
  }

  /**
   * Stores what `runs` hold of `batch`, or gives all of it back. Rejects where the sink is closed while it is not known
   * what became of a transaction.
   */
  async send(
    batch: Batch,
    runs: readonly PartitionRun[],
    outcomes: WriteOutcomes,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, producer } = this.#parts.context;
    if (runs.length === 0) return;
    const begunMs = clock.nowMs();
    let identity: ProducerIdentity | null = null;
    try {
      if (this.#parts.fences.verdict !== null) {
        throw new TransactionError("refused", this.#parts.fences.verdict);
      }
      const taken = identity = await this.#ready(signal);
      await this.#patiently(() => this.#seal.close(taken), signal);
      const position = this.#parts.positions.next();
      const partitions = partitionsOf([...runs, position.run]);
      await this.#patiently(() => this.#parts.coordinator.add(taken, partitions), signal);
      await this.#store({ batch, runs, outcomes, position, signal });
      assert(position.run.storedAt >= 0n, "a position that is stored has an offset");
      const { partition, storedAt: offset } = position.run;
      const transaction = {
        identity: taken,
        partitions,
        position: { partition, offset, producerId: taken.id },
      };
      await this.#commit(transaction, begunMs, signal);
      this.#seal.committed(partitions);
    } catch (error) {
      if (!(error instanceof TransactionError || error instanceof UnreachableError)) throw error;
      if (error instanceof TransactionError && error.refusal === "fenced") this.#parts.fences.fenced(begunMs);
      if (identity !== null) producer.forget(identity);
      outcomes.undo(this.#parts.fences.verdict ?? error.message);
      outcomes.saturated();
    }
  }

  async #ready(signal: AbortSignal): Promise<ProducerIdentity> {
    await this.#patiently(() => this.#parts.positions.ready(), signal);
    return await this.#patiently(() => this.#parts.context.producer.ready(), signal);
  }

  /** Sends the records and the position; rejects with TransactionError where one that is not dead is not stored. */
  async #store({ batch, runs, outcomes, position, signal }: Parts): Promise<void> {
    const data = new Delivery(this.#parts.context, batch, outcomes, signal);
    const positionOutcomes = new WriteOutcomes(1);
    const mark = new Delivery(this.#parts.context, position.record, positionOutcomes, signal);
    await Promise.all([data.send(runs), mark.send([position.run])]);
    const reason = outcomes.retryReason ?? positionOutcomes.anyReason;
    if (reason === null) return;
    throw new TransactionError(data.isFenced || mark.isFenced ? "fenced" : "refused", reason);
  }

  /** Resolves when the transaction is committed; rejects with TransactionError when it is known not to be. */
  async #commit(transaction: Transaction, begunMs: number, signal: AbortSignal): Promise<void> {
    const { identity } = transaction;
    try {
      await this.#patiently(() => this.#parts.coordinator.commit(identity), signal);
    } catch (error) {
      if (!(error instanceof TransactionError)) throw error;
      const refusal = await this.#end.afterDoubt(transaction, error);
      // A commit that is late, and answered long ago, must not meet the next transaction: that one has another epoch.
      this.#parts.context.producer.forget(identity);
      if (refusal === null) return;
      if (refusal.refusal === "fenced") this.#parts.fences.fenced(begunMs);
      if (await this.#end.isCommitted(transaction)) return;
      throw new TransactionError("refused", refusal.message, { cause: refusal });
    }
  }

  /** Asks again while brokers are busy, until `signal` is aborted. */
  async #patiently<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let attempt = 1;; attempt++) {
      try {
        return await ask();
      } catch (error) {
        const isBusy = error instanceof TransactionError && error.refusal === "busy";
        if (!isBusy || signal.aborted) throw error;
      }
      const { clock, closing } = this.#parts.context;
      await sleep(clock, Math.min(MAX_BUSY_WAIT_MS, BUSY_STEP_MS * attempt), closing);
    }
  }
}

interface Parts {
  readonly batch: Batch;
  readonly runs: readonly PartitionRun[];
  readonly outcomes: WriteOutcomes;
  readonly position: PositionRecord;
  readonly signal: AbortSignal;
}

function partitionsOf(runs: readonly PartitionRun[]): Map<string, number[]> {
  const partitions = new Map<string, number[]>();
  for (const { topic, partition } of runs) {
    const others = partitions.get(topic);
    if (others === undefined) partitions.set(topic, [partition]);
    else others.push(partition);
  }
  return partitions;
}
