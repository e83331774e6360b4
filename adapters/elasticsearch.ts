/**
 * Sends batches to Elasticsearch (8, 9) or OpenSearch (2, 3) by `_bulk`. Every document has an `_id` that is the same
 * at each try, so a bulk of which no one knows what became of it is sent again, and stores nothing twice.
 *
 * @module
 */
import type { Clock } from "../src/core/clock.ts";
import type { Logger } from "../src/core/log.ts";
import {
  allRetryable,
  type Batch,
  defineSink,
  SATURATED,
  type SinkAdapter,
  type SinkContext,
  type SinkDefinition,
  type WriteResult,
} from "../src/sink/adapter.ts";
import { readOptionFile } from "../src/sink/option_file.ts";
import { reasonOf } from "../src/sink/serial.ts";
import type { AnswerCounter } from "../src/sink/status_counts.ts";
import { ActionWriter } from "./elasticsearch/action.ts";
import { BlockGate } from "./elasticsearch/block_gate.ts";
import { type BulkAnswer, readBulkAnswer } from "./elasticsearch/bulk_answer.ts";
import { BulkBody } from "./elasticsearch/bulk_body.ts";
import { Cluster } from "./elasticsearch/cluster.ts";
import { type ElasticsearchOptions, optionsSchema } from "./elasticsearch/options.ts";
import { BulkOutcomes } from "./elasticsearch/outcomes.ts";
import { describeAnswer } from "./http/classify.ts";
import { hostAndPort } from "./http/exchange.ts";

export type { ElasticsearchOptions } from "./elasticsearch/options.ts";

/** A batch as it is sent, and what is known already of its records. */
interface EncodedBulk {
  readonly batch: Batch;
  readonly body: BulkBody;
  readonly outcomes: BulkOutcomes;
}

/** What one write is about. */
interface BulkWrite {
  readonly body: BulkBody;
  readonly outcomes: BulkOutcomes;
  readonly signal: AbortSignal;
}

class ElasticsearchSink implements SinkAdapter {
  readonly #op: "create" | "index";
  readonly #cluster: Cluster;
  readonly #actions: ActionWriter;
  readonly #gate = new BlockGate();
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #answers: AnswerCounter;
  /** Bodies that no write uses; never more than there were writes at once. */
  readonly #bodies: BulkBody[] = [];
  /** The bulk whose bytes were asked for last: its write mostly follows at once. */
  #asked: EncodedBulk | null = null;
  /** Below what the cluster refused as too large; it has no way to tell its limit. */
  #maxBodyBytes = Infinity;

  constructor(options: ElasticsearchOptions, cluster: Cluster, { clock, log, answers }: SinkContext) {
    this.#op = options.op;
    this.#cluster = cluster;
    this.#actions = new ActionWriter(options);
    this.#clock = clock;
    this.#log = log;
    this.#answers = answers;
  }

  async write(batch: Batch, signal: AbortSignal): Promise<WriteResult> {
    const delayMs = this.#gate.enter(this.#clock.nowMs());
    if (delayMs > 0) {
      return allRetryable(batch, "an index is blocked, as a disk is full", { kind: "throttle", delayMs });
    }
    const { body, outcomes } = this.#encoded(batch);
    this.#asked = null;
    try {
      await this.#send({ body, outcomes, signal }, 0, body.count);
      return outcomes.result();
    } finally {
      body.clear();
      this.#bodies.push(body);
    }
  }

  encodedBytes(batch: Batch): number {
    const { body } = this.#asked = this.#encoded(batch);
    return body.byteLength(0, body.count);
  }

  /** Asks with an empty bulk: it needs no more rights than a write, and a cluster that would take one answers 400. */
  async check(signal: AbortSignal): Promise<void> {
    const answer = await this.#cluster.ask([], 0, signal);
    if (answer.status === 200 || answer.status === 400) return;
    throw new Error(`the cluster would take no records: ${describeAnswer(answer)}`);
  }

  close(): void {
    this.#cluster.close();
  }

  #encoded(batch: Batch): EncodedBulk {
    if (this.#asked?.batch === batch) return this.#asked;
    const body = this.#asked?.body ?? this.#bodies.pop() ?? new BulkBody();
    this.#asked = null;
    const outcomes = new BulkOutcomes(batch.count);
    body.encode(batch, this.#actions, outcomes);
    return { batch, body, outcomes };
  }

  /** Sends items `from` to `to - 1`; false when the cluster is not to be asked for more of this write. */
  async #send(write: BulkWrite, from: number, to: number): Promise<boolean> {
    if (from === to) return true;
    const { body, signal } = write;
    if (to - from > 1 && body.byteLength(from, to) > this.#maxBodyBytes) {
      return await this.#halve(write, from, to);
    }
    const answer = await this.#ask(body.pieces(from, to), to - from, signal);
    if (answer.kind !== "tooLarge" || to - from === 1) return this.#settle(write, from, to, answer);
    this.#maxBodyBytes = Math.min(this.#maxBodyBytes, Math.ceil(body.byteLength(from, to) / 2));
    return await this.#halve(write, from, to);
  }

  /** The later half waits for the earlier one, and is not tried when that one cannot be stored now. */
  async #halve(write: BulkWrite, from: number, to: number): Promise<boolean> {
    const middle = (from + to) >> 1;
    if (await this.#send(write, from, middle)) return await this.#send(write, middle, to);
    retryAll(write, middle, to, "the cluster would not take what came before in the batch");
    return false;
  }

  async #ask(pieces: readonly Uint8Array[], count: number, signal: AbortSignal): Promise<BulkAnswer> {
    try {
      const answered = await this.#cluster.ask(pieces, count, signal);
      const answer = readBulkAnswer(answered, count, this.#op, this.#clock.wallMs());
      if (answer.kind !== "items" && answer.status !== null) this.#answers.add(answer.status, count);
      return answer;
    } catch (error) {
      const reason = error instanceof Error && error.cause !== undefined
        ? `${error.message}: ${reasonOf(error.cause)}`
        : reasonOf(error);
      return { kind: "retry", status: null, reason, pressure: SATURATED };
    }
  }

  #settle(write: BulkWrite, from: number, to: number, answer: BulkAnswer): boolean {
    const { body, outcomes } = write;
    switch (answer.kind) {
      case "stored":
        this.#gate.taken();
        return true;
      case "items":
        return this.#settleItems(write, from, answer.fates);
      case "tooLarge":
        outcomes.reject(body.record(from), answer.reason);
        return true;
      case "malformed":
        this.#settleMalformed(write, from, to, answer);
        return true;
      case "blocked":
        this.#block(outcomes);
        retryAll(write, from, to, answer.reason);
        return false;
      case "retry":
        outcomes.press(answer.pressure);
        retryAll(write, from, to, answer.reason);
        return false;
    }
  }

  #settleItems(
    { body, outcomes }: BulkWrite,
    from: number,
    fates: Extract<BulkAnswer, { kind: "items" }>["fates"],
  ): boolean {
    let isBlocked = false;
    for (let at = 0; at < fates.length; at++) {
      const fate = fates[at];
      const record = body.record(from + at);
      this.#answers.add(fate.status, 1);
      if (fate.kind === "stored") continue;
      if (fate.kind === "rejected") {
        outcomes.reject(record, fate.reason);
        continue;
      }
      outcomes.retry(record, fate.reason);
      if (fate.kind === "blocked") isBlocked = true;
      else outcomes.press(SATURATED);
    }
    if (isBlocked) this.#block(outcomes);
    else this.#gate.taken();
    return !isBlocked;
  }

  /** No record can make a bulk malformed, so this is a mistake of this sink; the others must not suffer for it. */
  #settleMalformed(
    write: BulkWrite,
    from: number,
    to: number,
    { reason, line }: Extract<BulkAnswer, { kind: "malformed" }>,
  ): void {
    const { body, outcomes } = write;
    const named = line > 0 && line <= 2 * (to - from) ? from + ((line - 1) >> 1) : -1;
    this.#log.error("the cluster refuses the form of a bulk", {
      reason,
      action: body.action(Math.max(named, from)),
    });
    for (let at = from; at < to; at++) {
      if (named < 0 || at === named) outcomes.reject(body.record(at), reason);
      else outcomes.retry(body.record(at), `another document of its bulk was refused: ${reason}`);
    }
  }

  #block(outcomes: BulkOutcomes): void {
    outcomes.press({ kind: "throttle", delayMs: this.#gate.blocked(this.#clock.nowMs()) });
  }
}

function retryAll({ body, outcomes }: BulkWrite, from: number, to: number, reason: string): void {
  for (let at = from; at < to; at++) outcomes.retry(body.record(at), reason);
}

/** Sends batches to a search cluster. */
export const elasticsearchSink: SinkDefinition<ElasticsearchOptions> = defineSink<ElasticsearchOptions>({
  type: "elasticsearch",
  config: optionsSchema,
  hints: () => ({
    maxRecords: 1000,
    maxBytes: 1_048_576,
    lingerMs: 10,
    framingBytes: 100,
    writesInFlight: 32,
  }),
  permissions: ({ nodes, ca }) => ({
    net: nodes.map((node) => hostAndPort(new URL(node))),
    ...ca === undefined ? {} : { read: [ca] },
  }),
  async open(options, context) {
    const ca = options.ca === undefined ? undefined : await readOptionFile("ca", options.ca);
    return new ElasticsearchSink(options, new Cluster(options, ca, context.clock), context);
  },
});
