/**
 * Which broker is asked for what, and what becomes of the answers. The member is a fake, for brokers that answer late,
 * with faults of single partitions, or not at all, at a given moment.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { sleep } from "../../src/core/clock.ts";
import { Fetcher, type FetchingMember } from "../../src/source/fetcher.ts";
import type { FetchedPartition } from "../../src/source/partition_answers.ts";
import { PartitionReaders } from "../../src/source/partition_readers.ts";
import type { PartitionOffset } from "../../src/source/topic_partition.ts";
import { TopicWatch } from "../../src/source/topic_watch.ts";
import { FakeStream } from "../ingress/fake_exchange.ts";
import { LogLines } from "../support/log_lines.ts";
import { settle } from "../support/manual_clock.ts";
import { batchOf, fetchedOf } from "./fetched_records.ts";

interface Asked {
  readonly node: number;
  readonly wanted: readonly PartitionOffset[];
  readonly resolve: (answer: FetchedPartition[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Partitions 0 and 1 are led by broker 0, partition 2 by broker 1. */
class Brokers {
  readonly stream = new FakeStream({ segments: 16 });
  readonly clock = this.stream.clock;
  readonly log = new LogLines();
  readonly failures: unknown[] = [];
  readonly readers = new PartitionReaders({
    door: () => this.stream.door,
    refuse: (record) => record.done(),
    onChange: () => this.fetcher.fetchSoon(),
  });
  readonly fetcher: Fetcher;
  looks = 0;
  /** Fetches that are not answered. */
  asked: Asked[] = [];

  constructor() {
    const { clock, log, readers } = this;
    const topics = new TopicWatch({ topics: ["t"], clock, log, onLost: () => {}, onAnswer: () => {} });
    topics.begin({
      lackOf: () => {
        this.looks++;
        return Promise.resolve(null);
      },
      setTopic: () => {},
    });
    this.fetcher = new Fetcher({
      readers,
      topics,
      fetchBytes: 1024,
      readsUncommitted: false,
      clock,
      log,
      pause: (delayMs) => sleep(clock, delayMs),
      onAnswer: () => {},
      onFailed: (error) => this.failures.push(error),
    });
    const member: FetchingMember = {
      leadersOf: (partitions) => Promise.resolve(partitions.map(({ partition }) => partition >> 1)),
      fetch: (node, wanted) =>
        new Promise((resolve, reject) => this.asked.push({ node, wanted, resolve, reject })),
      endOf: (_end, partitions) => Promise.resolve(partitions.map(() => 40)),
    };
    this.fetcher.begin(member);
    for (let partition = 0; partition < 3; partition++) readers.add({ topic: "t", partition }, 0, -1);
    this.fetcher.fetchSoon();
  }

  /** Partitions and offsets that each broker is asked for now, by its number. */
  async now(): Promise<Record<number, number[][]>> {
    await settle();
    return Object.fromEntries(
      this.asked.map((
        { node, wanted },
      ) => [node, wanted.map(({ partition, offset }) => [partition, offset])]),
    );
  }

  /** The fetch at `node`, which is answered now. */
  take(node: number): Asked {
    const asked = this.asked.find((each) => each.node === node)!;
    this.asked = this.asked.filter((each) => each !== asked);
    return asked;
  }
}

Deno.test("Fetcher asks each broker once at a time for all that it leads, and goes on where the answer ended", async () => {
  const brokers = new Brokers();
  assertEquals(await brokers.now(), { 0: [[0, 0], [1, 0]], 1: [[2, 0]] });
  brokers.fetcher.fetchSoon();
  assertEquals((await brokers.now(), brokers.asked.length), 2);
  brokers.take(0).resolve([fetchedOf(0, [batchOf(["1", "2"])]), fetchedOf(1, [])]);
  assertEquals(await brokers.now(), { 0: [[0, 2], [1, 0]], 1: [[2, 0]] });
  assertEquals(brokers.readers.counts.taken, 2);
  assertEquals(brokers.fetcher.heldBytes, 0);
});

Deno.test("Fetcher leaves a partition with a fault aside for a while, tells it once, and looks for its topic", async () => {
  const brokers = new Brokers();
  await brokers.now();
  const faulty = { ...fetchedOf(1, []), errorCode: 3, errorName: "UNKNOWN_TOPIC_OR_PARTITION" };
  brokers.take(0).resolve([fetchedOf(0, []), faulty]);
  assertEquals(await brokers.now(), { 0: [[0, 0]], 1: [[2, 0]] });
  assertEquals([...brokers.readers].map(({ fault }) => fault), [
    null,
    "topic t, partition 1: UNKNOWN_TOPIC_OR_PARTITION (3)",
    null,
  ]);
  assertEquals([brokers.looks, brokers.log.lines.length], [1, 1]);
  await brokers.clock.run(1_000);
  brokers.take(0).resolve([faulty]);
  await brokers.now();
  await brokers.clock.run(1_000);
  assertEquals(brokers.log.lines.length, 1);
  assertEquals((await brokers.now())[0], [[0, 0]]);
  brokers.take(0).resolve([]);
  assertEquals((await brokers.now())[0], [[0, 0], [1, 0]]);
});

Deno.test("Fetcher reads on from the first record that the broker has, where the next one is gone", async () => {
  const brokers = new Brokers();
  await brokers.now();
  brokers.take(1).resolve([{ ...fetchedOf(2, []), errorCode: 1, errorName: "OFFSET_OUT_OF_RANGE" }]);
  assertEquals((await brokers.now())[1], [[2, 40]]);
  assertEquals([brokers.fetcher.resets, brokers.log.lines[0].fields.missed], [1, 40]);
});

Deno.test("Fetcher tells a broker that does not answer, and asks it again after a pause, the others meanwhile", async () => {
  const brokers = new Brokers();
  await brokers.now();
  const error = new Error("it is gone");
  brokers.take(0).reject(error);
  assertEquals(await brokers.now(), { 1: [[2, 0]] });
  assertEquals(brokers.failures, [error]);
  brokers.take(1).resolve([fetchedOf(2, [batchOf(["1"])])]);
  assertEquals(await brokers.now(), { 1: [[2, 1]] });
  await brokers.clock.run(250);
  assertEquals(await brokers.now(), { 0: [[0, 0], [1, 0]], 1: [[2, 1]] });
});

Deno.test("Fetcher gives nothing to a reader that the fetch was not for, and holds nothing for it", async () => {
  const brokers = new Brokers();
  await brokers.now();
  brokers.readers.removeWhere(({ partition }) => partition === 2);
  brokers.readers.add({ topic: "t", partition: 2 }, 0, -1);
  brokers.take(1).resolve([fetchedOf(2, [batchOf(["1"])])]);
  await settle();
  assertEquals([brokers.readers.counts.taken, brokers.fetcher.heldBytes], [0, 0]);
  brokers.fetcher.stop();
  brokers.take(0).resolve([]);
  assertEquals((await brokers.now())[0], undefined);
});
