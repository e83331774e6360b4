/** What becomes of a batch, by the end of its write: every record is settled once, and none before its time. @module */
import { assertEquals } from "@std/assert";
import { Batcher } from "../../src/lane/batcher.ts";
import type { SegmentBatch } from "../../src/lane/batch.ts";
import { DeadLetter } from "../../src/lane/dead_letter.ts";
import { Delivery } from "../../src/lane/delivery.ts";
import { HeldBuffers } from "../../src/lane/held_buffers.ts";
import { RetryQueue } from "../../src/lane/retry_queue.ts";
import { SinkGate } from "../../src/lane/sink_gate.ts";
import type { WriteEnd } from "../../src/lane/write_end.ts";
import { NO_PRESSURE, Outcome } from "../../src/sink/adapter.ts";
import { FakeStream } from "../ingress/fake_exchange.ts";
import { LogLines } from "../support/log_lines.ts";

const { ACKED, RETRYABLE, REJECTED } = Outcome;
const RETRY = { initialMs: 100, maxMs: 1_000, maxAttempts: 2 };

/** The delivery of a lane that holds one request of three records, which waits for its ack. */
class Stage {
  readonly stream = new FakeStream({ segments: 8, policy: { ack: "delivered" } });
  readonly letters = new FakeStream({ segments: 8, policy: { validateJson: false } });
  readonly log = new LogLines();
  readonly request = this.stream.whole("1\n2\n3\n");
  readonly gate: SinkGate;
  readonly retries: RetryQueue;
  readonly delivery: Delivery;
  readonly batch: SegmentBatch;
  credits = 0;
  settled = 0;

  constructor() {
    const { clock, lane: { input } } = this.stream;
    const held = new HeldBuffers(input, () => this.credits++);
    this.gate = new SinkGate({
      sink: "out",
      clock,
      limits: {},
      control: { kind: "static", initial: 1, min: 1, max: 1 },
      downAfterMs: 60_000,
      log: this.log,
    });
    const batcher = new Batcher({
      input,
      held,
      stream: "s",
      idPrefix: "id-",
      shape: { maxRecords: 100, maxBytes: 10_000, lingerMs: 0, framingBytes: 0 },
      gate: () => this.gate,
      keys: null,
      clock,
      onLingered: () => {},
    });
    this.retries = new RetryQueue({
      policy: RETRY,
      ordered: false,
      inOrder: false,
      clock,
      random: () => 1,
      onDue: () => {},
    });
    const deadLetter = new DeadLetter({
      sink: "out",
      partition: this.letters.admission.partition,
      wallTime: () => 0,
    });
    this.delivery = new Delivery({
      stream: "s",
      input,
      held,
      retries: this.retries,
      keys: null,
      retry: RETRY,
      deadLetter: () => deadLetter,
      gate: () => this.gate,
      clock,
      log: this.log,
      onSettled: () => this.settled++,
      onDeadLettered: () => {},
    });
    this.stream.admission.partition.flush();
    held.add(this.stream.lane.queue.pollBuffer());
    batcher.added(held.addedRecords, held.addedBytes);
    this.batch = batcher.form();
  }

  end(batch: SegmentBatch, end: WriteEnd): void {
    this.delivery.end(batch, end, this.gate);
  }

  written(batch: SegmentBatch, ...outcomes: readonly number[]): void {
    const result = { kind: "written", outcomes: new Uint8Array(outcomes), pressure: NO_PRESSURE } as const;
    this.end(batch, { kind: "result", result });
  }

  /** The batch whose time to be tried again has come. */
  due(): SegmentBatch {
    this.stream.clock.advance(1_000);
    const batch = this.retries.due()!;
    this.retries.take(batch);
    return batch;
  }

  /** Stores what is in the dead letter; returns the number of records. */
  store(): number {
    const records = this.letters.hold();
    this.letters.settle();
    return records;
  }

  get unsettled(): number {
    return this.stream.lane.input.unsettledRecords;
  }
}

Deno.test("Delivery.end() settles what is stored, and the request is answered with the last", () => {
  const stage = new Stage();
  stage.written(stage.batch, ACKED, RETRYABLE, ACKED);
  assertEquals([stage.delivery.delivered, stage.unsettled, stage.request.exchange.answer], [2, 1, null]);
  const rest = stage.due();
  assertEquals([rest.count, rest.attempt, stage.credits], [1, 2, 0]);
  stage.written(rest, ACKED);
  assertEquals([stage.delivery.delivered, stage.unsettled, stage.credits, stage.settled], [3, 0, 1, 1]);
  assertEquals(stage.request.exchange.answer?.status, 200);
});

Deno.test("Delivery.end() settles what is rejected when the dead letter is stored, and not before", () => {
  const stage = new Stage();
  stage.written(stage.batch, ACKED, REJECTED, ACKED);
  assertEquals([stage.unsettled, stage.delivery.rejecting, stage.delivery.deadLettered], [1, 1, 0]);
  assertEquals(stage.store(), 1);
  assertEquals([stage.unsettled, stage.delivery.rejecting, stage.delivery.deadLettered], [0, 0, 1]);
  assertEquals(stage.request.exchange.answer?.body.deadLettered, 1);
});

Deno.test("Delivery.end() tries all again after an unknown outcome, and gives up after maxAttempts", () => {
  const stage = new Stage();
  stage.end(stage.batch, { kind: "unknown", error: new Error("connection reset") });
  assertEquals([stage.unsettled, stage.retries.records], [3, 3]);
  stage.end(stage.due(), { kind: "unknown", error: new Error("connection reset") });
  assertEquals([stage.retries.isEmpty, stage.delivery.rejecting, stage.store()], [true, 1, 3]);
  assertEquals([stage.unsettled, stage.delivery.deadLettered], [0, 3]);
});

Deno.test("Delivery.end() keeps a batch whose adapter gave too few outcomes, and tells so", () => {
  const stage = new Stage();
  stage.written(stage.batch, ACKED);
  assertEquals([stage.unsettled, stage.retries.records, stage.delivery.delivered], [3, 3, 0]);
  assertEquals(stage.log.lines.map(({ level }) => level), ["error"]);
});

Deno.test("Delivery.end() halves a batch that is too large, and rejects a record that is so alone", () => {
  const stage = new Stage();
  const tooLarge: WriteEnd = {
    kind: "result",
    result: { kind: "tooLarge", reason: "over the sink's limit", pressure: NO_PRESSURE },
  };
  stage.end(stage.batch, tooLarge);
  assertEquals([stage.retries.records, stage.unsettled], [3, 3]);
  const half = stage.due();
  assertEquals(half.count, 1);
  stage.end(half, tooLarge);
  assertEquals([stage.store(), stage.delivery.deadLettered, stage.unsettled], [1, 1, 2]);
});

Deno.test("Delivery.stop() settles nothing any more, also when a dead letter is stored later", () => {
  const stage = new Stage();
  stage.written(stage.batch, REJECTED, REJECTED, REJECTED);
  stage.delivery.stop();
  stage.store();
  assertEquals([stage.unsettled, stage.delivery.deadLettered, stage.settled], [3, 0, 0]);
});
