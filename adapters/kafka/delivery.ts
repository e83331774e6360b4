/**
 * One write on its way to the brokers: rounds of one request to each leader, with the next batch of each partition in
 * it, until every record has an outcome that is certain.
 *
 * A batch that may be stored is never given back: only the same bytes under the same number can find out. Its write may
 * so last as long as its broker is away; the lane counts the sink as down meanwhile.
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";
import { sleep } from "../../src/core/clock.ts";
import { UnreachableError } from "./cluster.ts";
import type { DeliveryContext } from "./delivery_context.ts";
import { describeCode, type Fate, fateOf, isFence } from "./error_codes.ts";
import { causeOf } from "./failure.ts";
import type { WriteOutcomes } from "./outcomes.ts";
import type { PartitionRun } from "./partition_run.ts";
import { type PartitionAnswer, type PartitionData, produce } from "./produce.ts";
import { NotYetError } from "./producer.ts";
import { type ProducerIdentity, type RecordSource, seal } from "./record_batch.ts";

const FIRST_WAIT_MS = 50;
/** Long enough to be no load for a broker that comes back, short enough to be soon there when it has. */
const MAX_WAIT_MS = 2000;

const OUT_OF_ORDER_SEQUENCE = 45;
/** After these the next round is about other records, or a smaller batch. */
const PROGRESS: readonly Fate[] = ["stored", "tooLarge", "invalid"];

/** The records of one write. */
export class Delivery {
  readonly #context: DeliveryContext;
  readonly #batch: RecordSource;
  readonly #outcomes: WriteOutcomes;
  readonly #signal: AbortSignal;
  #failures = 0;
  #hasProgressed = false;
  #wasTold = false;
  #isFenced = false;

  constructor(context: DeliveryContext, batch: RecordSource, outcomes: WriteOutcomes, signal: AbortSignal) {
    this.#context = context;
    this.#batch = batch;
    this.#outcomes = outcomes;
    this.#signal = signal;
  }

  /** Whether a broker said that the producer's id is another's now. */
  get isFenced(): boolean {
    return this.#isFenced;
  }

  /**
   * Sends all `runs`; of a transaction only until one of the records is to be tried again, as all of them are then.
   * Rejects where the sink is closed while it is not known what became of a batch.
   */
  async send(runs: readonly PartitionRun[]): Promise<void> {
    for (;;) {
      const open = runs.filter((run) => !run.isDone);
      if (open.length === 0) return;
      if (this.#context.transactionalId !== null && this.#outcomes.retryReason !== null) return;
      this.#context.closing.throwIfAborted();
      this.#hasProgressed = false;
      await this.#round(open);
      if (this.#hasProgressed || open.every((run) => run.isDone)) this.#failures = 0;
      else await this.#pause(++this.#failures);
      if (runs.some((run) => !run.isDone)) await this.#context.throttle.over(this.#context.closing);
    }
  }

  async #round(open: readonly PartitionRun[]): Promise<void> {
    const identity = await this.#prepare(open);
    if (identity === null) return;
    const topics = this.#context.cluster.known;
    const byLeader = new Map<number, PartitionRun[]>();
    for (const run of open) {
      if (run.isDone) continue;
      const state = topics.get(run.topic);
      const leader = state?.kind === "there" ? state.leaders[run.partition] : undefined;
      if (leader === undefined) {
        this.#missing(run, state?.kind === "missing" ? state.reason : "its partition is gone");
      } else if (leader < 0) this.#again(run, `partition ${run.partition} of ${run.topic} has no leader`);
      else byLeader.set(leader, [...byLeader.get(leader) ?? [], run]);
    }
    await Promise.all([...byLeader].map(([leader, runs]) => this.#ask(leader, runs, identity)));
  }

  /** Brings what is known of the cluster up to date; null where no broker can be reached, or it is too soon. */
  async #prepare(open: readonly PartitionRun[]): Promise<ProducerIdentity | null> {
    const { cluster, producer } = this.#context;
    try {
      await cluster.know([...new Set(open.map(({ topic }) => topic))]);
      return await producer.ready();
    } catch (error) {
      if (error instanceof UnreachableError) {
        for (const run of open) this.#unreachable(run, error.message);
      } else if (error instanceof NotYetError) {
        for (const run of open) this.#again(run, error.message);
      } else throw error;
      return null;
    }
  }

  async #ask(leader: number, runs: readonly PartitionRun[], identity: ProducerIdentity): Promise<void> {
    const { client, cluster, options } = this.#context;
    let connection;
    try {
      connection = await cluster.connection(leader);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      for (const run of runs) this.#unreachable(run, error.message);
      return;
    }
    const topics = new Map<string, PartitionData[]>();
    for (const run of runs) {
      const data = { partition: run.partition, bytes: this.#encoded(run, identity) };
      const others = topics.get(run.topic);
      if (others === undefined) topics.set(run.topic, [data]);
      else others.push(data);
    }
    try {
      const answer = await cluster.ask(connection, (connection) =>
        produce(client, connection, {
          transactionalId: this.#context.transactionalId,
          acks: options.acks === "all" ? -1 : 1,
          timeoutMs: options.requestTimeoutMs,
          topics,
        }));
      this.#context.throttle.asked(answer.throttleMs);
      const byPartition = new Map(answer.partitions.map((each) => [`${each.topic}/${each.partition}`, each]));
      for (const run of runs) this.#settle(run, byPartition.get(`${run.topic}/${run.partition}`));
    } catch (error) {
      for (const run of runs) this.#unknown(run, `no answer from broker ${leader}: ${causeOf(error)}`);
    }
  }

  /** The open batch of `run`, encoded and numbered if it is not yet. */
  #encoded(run: PartitionRun, identity: ProducerIdentity): Uint8Array<ArrayBuffer> {
    if (run.open !== null) return run.open.bytes;
    const { client, encoder, producer, options, learnedBytes } = this.#context;
    const maxBytes = Math.min(options.maxBatchBytes, learnedBytes.get(run.topic) ?? Infinity);
    const encoded = encoder.encode(this.#batch, run.order, run.at, run.end, maxBytes);
    const number = producer.number(run.topic, run.partition, identity);
    seal(encoded.bytes, number.identity, number.sequence, client.crc32c);
    run.open = { ...encoded, number };
    return encoded.bytes;
  }

  #settle(run: PartitionRun, answer: PartitionAnswer | undefined): void {
    if (answer === undefined) return this.#unknown(run, "the broker's answer leaves the partition out");
    const { open } = run;
    assert(open !== null, "an answer is about a batch");
    const reason = describeCode(answer.code, answer.message);
    this.#hasProgressed ||= PROGRESS.includes(fateOf(answer.code));
    switch (fateOf(answer.code)) {
      case "stored":
        this.#context.producer.stored(run.topic, run.partition, open.number, open.count);
        run.storedAt = answer.offset;
        return run.advance(open.count);
      case "moved":
        return this.#again(run, reason);
      case "unknown":
        return this.#unknown(run, reason);
      case "tooLarge":
        return this.#tooLarge(run, open.count, open.rawBytes, reason);
      case "invalid":
        return this.#invalid(run, open.count, answer, reason);
      case "refused":
        return this.#refused(run, reason);
      case "forgotten":
        if (this.#context.transactionalId !== null) {
          this.#isFenced ||= isFence(answer.code);
          return this.#outcomes.retryRest(run, reason);
        }
        // With one batch on its way at a time, a gap before this one says that the broker does not have it. A broker
        // that knows nothing of the producer may have stored it, and have forgotten.
        if (run.isUnknown && answer.code !== OUT_OF_ORDER_SEQUENCE) return this.#unknown(run, reason);
        this.#context.log.warn("the broker has lost what it knew of this producer; it begins anew", {
          topic: run.topic,
          partition: run.partition,
          reason,
        });
        this.#context.producer.forget(open.number.identity);
        return run.reopen(run.maxRecords);
    }
  }

  /** This try is not stored; an earlier one of the same batch may be. */
  #refused(run: PartitionRun, reason: string): void {
    if (run.isUnknown) this.#unknown(run, reason);
    else this.#outcomes.retryRest(run, reason);
  }

  #tooLarge(run: PartitionRun, count: number, rawBytes: number, reason: string): void {
    if (count === 1) return this.#rejectFirst(run, 1, () => reason);
    this.#context.learnedBytes.set(run.topic, Math.ceil(rawBytes / 2));
    run.reopen(Math.ceil(count / 2));
  }

  /** The broker stores nothing of a batch in which a record breaks a rule; where it does not name it, halves find it. */
  #invalid(run: PartitionRun, count: number, { invalid }: PartitionAnswer, reason: string): void {
    if (invalid.size > 0) {
      const named = [...invalid].filter(([index]) => index < count).sort(([a], [b]) => a - b).map((
        [, text],
      ) => text);
      const found = run.toFront((index) => invalid.has(index));
      if (found > 0) {
        return this.#rejectFirst(run, found, (at) => named[at] === "" ? reason : `${reason}: ${named[at]}`);
      }
    }
    if (count === 1) return this.#rejectFirst(run, 1, () => reason);
    run.reopen(Math.ceil(count / 2));
  }

  #rejectFirst(run: PartitionRun, count: number, reason: (at: number) => string): void {
    for (let at = 0; at < count; at++) this.#outcomes.reject(run.order[run.at + at], reason(at));
    run.advance(count);
  }

  /** Nothing was sent. What may be stored by an earlier try waits; the rest goes back to the lane, which knows how to. */
  #unreachable(run: PartitionRun, reason: string): void {
    this.#context.cluster.outdated();
    this.#outcomes.saturated();
    if (run.isUnknown) this.#tell(reason);
    else this.#outcomes.retryRest(run, reason);
  }

  #unknown(run: PartitionRun, reason: string): void {
    this.#context.cluster.outdated();
    this.#outcomes.saturated();
    // What a transaction holds is not stored as long as nobody commits it.
    const { options, transactionalId } = this.#context;
    if (!options.idempotent || transactionalId !== null) return this.#outcomes.retryRest(run, reason);
    run.isUnknown = true;
    this.#tell(reason);
  }

  /** Not stored, but the next round may do better. */
  #again(run: PartitionRun, reason: string): void {
    this.#context.cluster.outdated();
    if (this.#signal.aborted && !run.isUnknown) this.#outcomes.retryRest(run, reason);
    else this.#context.failing(reason);
  }

  /**
   * With its topic, what was stored of a batch is gone too. A broker that has just started may only not have heard of the topic
   * yet, so a batch that may be stored waits until the lane's patience is over.
   */
  #missing(run: PartitionRun, reason: string): void {
    this.#context.cluster.outdated();
    if (run.isUnknown && !this.#signal.aborted) return this.#tell(reason);
    // Its number may be taken: another batch under it could pass for this one.
    if (run.isUnknown && run.open !== null) this.#context.producer.forget(run.open.number.identity);
    this.#outcomes.retryRest(run, reason);
  }

  #tell(reason: string): void {
    this.#context.failing(reason);
    if (this.#wasTold) return;
    this.#wasTold = true;
    this.#context.log.warn("a batch may be stored or not; its broker is asked until that is known", {
      reason,
    });
  }

  async #pause(failures: number): Promise<void> {
    const waitMs = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10));
    await sleep(this.#context.clock, waitMs, this.#context.closing);
  }
}
