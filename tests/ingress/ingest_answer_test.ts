/** One answer for each request, with what became of its records. @module */
import { assertEquals } from "@std/assert";
import { type AnsweredBody, IngestAnswer } from "../../src/ingress/ingest_answer.ts";
import { badRequest } from "../../src/ingress/refusals.ts";
import type { StreamPolicy } from "../../src/ingress/stream_door.ts";
import { FakeExchange, FakeStream } from "./fake_exchange.ts";

class Body implements AnsweredBody {
  isComplete = true;
  isStreamed = false;
  gone = 0;

  letGo(): void {
    this.gone++;
  }
}

function open(policy: Partial<StreamPolicy> = {}) {
  const stream = new FakeStream({ segments: 8, policy });
  const [exchange, body] = [new FakeExchange(), new Body()];
  return { stream, exchange, body, answer: new IngestAnswer(stream.door, exchange, body) };
}

Deno.test("IngestAnswer.taken() answers 202 at once where the ack waits for nothing", () => {
  const { stream, exchange, answer } = open();
  assertEquals([answer.counter(), answer.reads, stream.door.active.size], [null, true, 1]);
  answer.committed({ records: 3, bytes: 9, shedMask: 0 });
  answer.nextIndex = 3;
  answer.taken();
  assertEquals([exchange.answer?.status, exchange.answer?.body], [
    202,
    { accepted: 3, next: 3, rejectedCount: 0, rejected: [] },
  ]);
  assertEquals([answer.isGiven, answer.reads, stream.door.active.size], [true, false, 0]);
});

Deno.test("IngestAnswer.taken() waits for the last delivery, and tells which were dead-lettered", () => {
  const { stream, exchange, answer } = open({ ack: "delivered" });
  const counter = answer.counter()!;
  counter.expect(2);
  answer.committed({ records: 2, bytes: 6, shedMask: 0 });
  answer.nextIndex = 2;
  answer.taken();
  assertEquals([answer.counter() === counter, exchange.answer, answer.reads], [true, null, false]);
  counter.deadLettered++;
  counter.settle(2);
  assertEquals([exchange.answer?.status, exchange.answer?.body.deadLettered], [200, 1]);
  stream.clock.advance(30_000);
});

Deno.test("IngestAnswer.committed() adds up what each sink was left out of, once for all its writers", () => {
  const { exchange, answer } = open();
  answer.committed({ records: 2, bytes: 6, shedMask: 1 });
  answer.committed({ records: 3, bytes: 9, shedMask: 0 });
  answer.committed({ records: 4, bytes: 9, shedMask: 1 });
  answer.taken();
  assertEquals(exchange.answer?.body.shed, { out: 6 });
});

Deno.test("IngestAnswer.refuse() lets go of the body and answers once, what was taken before beside it", () => {
  const { exchange, body, answer } = open();
  body.isComplete = false;
  answer.committed({ records: 1, bytes: 3, shedMask: 0 });
  answer.refuse(badRequest("it ends in the middle"));
  answer.refuse(badRequest("again"));
  answer.stop();
  const { status, body: problem, left, closes } = exchange.answer!;
  assertEquals([status, problem.detail, problem.accepted], [400, "it ends in the middle", 1]);
  assertEquals([left, closes, body.gone > 0], ["unread", false, true]);
});

Deno.test("IngestAnswer.abandon() lets go of the body, and nothing is answered any more", () => {
  const { stream, exchange, body, answer } = open({ ack: "delivered" });
  const counter = answer.counter()!;
  counter.expect(1);
  answer.taken();
  answer.abandon();
  counter.settle(1);
  stream.clock.advance(30_000);
  assertEquals([exchange.answer, body.gone, stream.door.active.size], [null, 1, 0]);
});
