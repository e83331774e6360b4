/**
 * What is told of topics that cannot be read, and when they are looked for. The member is a fake: brokers that lose and
 * get topics at a given moment are in `kafka_faults_broker_test.ts`.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { TopicLack } from "../../src/source/group_member.ts";
import { TopicWatch } from "../../src/source/topic_watch.ts";
import { LogLines } from "../support/log_lines.ts";
import { ManualClock } from "../support/manual_clock.ts";

class Topics {
  readonly clock = new ManualClock();
  readonly log = new LogLines();
  /** What brokers say; those that are not named are there. */
  readonly lacks: Map<string, TopicLack> = new Map();
  /** Why no broker answers; null when they do. */
  error: Error | null = null;
  readonly reads: Map<string, boolean> = new Map();
  readonly lost: string[] = [];
  readonly answers: unknown[] = [];
  readonly watch = new TopicWatch({
    topics: ["a", "b"],
    clock: this.clock,
    log: this.log,
    onLost: (topic) => this.lost.push(topic),
    onAnswer: (error) => this.answers.push(error),
  });

  lackOf(topic: string): Promise<TopicLack | null> {
    return this.error === null ? Promise.resolve(this.lacks.get(topic) ?? null) : Promise.reject(this.error);
  }

  setTopic(topic: string, reads: boolean): void {
    this.reads.set(topic, reads);
  }
}

Deno.test("TopicWatch.begin() tells which topics are lacking, and reads each when it comes", async () => {
  const topics = new Topics();
  topics.lacks.set("a", "missing").set("b", "forbidden");
  topics.watch.lacking.set("a", "missing").set("b", "forbidden");
  topics.watch.begin(topics);
  assertEquals(topics.log.lines.map(({ fields }) => fields.topic), ["a", "b"]);
  assertEquals(topics.watch.faults, [
    'there is no topic "a"; create it, or change topics',
    'may not read topic "b"; allow READ on it, or change topics',
  ]);
  topics.lacks.delete("a");
  await topics.clock.run(2_000);
  assertEquals([...topics.reads], [["a", true]]);
  assertEquals([...topics.watch.lacking.keys()], ["b"]);
  topics.lacks.delete("b");
  await topics.clock.run(2_000);
  assertEquals(topics.watch.faults, []);
});

Deno.test("TopicWatch.look() gives up a topic that is gone, and tells it once", async () => {
  const topics = new Topics();
  topics.watch.begin(topics);
  topics.lacks.set("b", "missing");
  await topics.watch.look();
  await topics.watch.look();
  assertEquals([topics.lost, [...topics.reads]], [["b"], [["b", false]]]);
  assertEquals(topics.log.lines.length, 1);
});

Deno.test("TopicWatch.look() tells brokers that do not answer, and the probes go on", async () => {
  const topics = new Topics();
  topics.watch.lacking.set("a", "missing");
  topics.watch.begin(topics);
  const error = topics.error = new Error("nobody is there");
  await topics.clock.run(2_000);
  topics.error = null;
  await topics.clock.run(2_000);
  assertEquals(topics.answers, [error, undefined]);
  topics.watch.stop();
  assertEquals(topics.clock.pending, 0);
});
