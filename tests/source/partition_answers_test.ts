/** What one partition has to say does not hide what the others have. @module */
import { assertEquals } from "@std/assert";
import { fetchedIn, fetchedOf, type FetchResponses, refusedIn } from "../../src/source/partition_answers.ts";
import { batchOf } from "./fetched_records.ts";

const NAMES = { 3: "UNKNOWN_TOPIC_OR_PARTITION", 25: "UNKNOWN_MEMBER_ID", 29: "TOPIC_AUTHORIZATION_FAILED" };

function failedWith(response: unknown): Error {
  return Object.assign(new Error("the answer has errors"), { response });
}

function commitOf(...errorCodes: readonly number[]): unknown {
  return {
    topics: [{
      name: "t",
      partitions: errorCodes.map((errorCode, partitionIndex) => ({ partitionIndex, errorCode })),
    }],
  };
}

Deno.test("fetchedOf() gives each partition by its topic's name, also out of an answer that is an error", () => {
  const partition = {
    partitionIndex: 1,
    errorCode: 0,
    highWatermark: 9n,
    abortedTransactions: null,
    records: [batchOf(["1"])],
  };
  const faulty = { ...partition, partitionIndex: 2, errorCode: 29, records: undefined };
  const unknown = { ...partition, errorCode: 999 };
  const responses = [
    { topicId: "id", partitions: [partition, faulty, unknown] },
    { topicId: "another", partitions: [partition] },
  ] as unknown as FetchResponses;
  const fetched = fetchedOf(fetchedIn(failedWith({ responses }))!, new Map([["id", "t"]]), NAMES);
  assertEquals(
    fetched.map(({ topic, partition, errorName, batches, highWatermark }) => [
      topic,
      partition,
      errorName,
      batches.length,
      highWatermark,
    ]),
    [
      ["t", 1, "an unknown error", 1, 9],
      ["t", 2, "TOPIC_AUTHORIZATION_FAILED", 0, 9],
      ["t", 1, "an unknown error", 1, 9],
    ],
  );
  assertEquals([fetchedIn(failedWith({ responses: [] })), fetchedIn(new Error("nobody is there"))], [
    null,
    null,
  ]);
});

Deno.test("refusedIn() gives the partitions that were not taken, each for a fault of its own", () => {
  assertEquals(refusedIn(failedWith(commitOf(0, 29, 3)), NAMES), [
    { topic: "t", partition: 1, errorCode: 29, errorName: "TOPIC_AUTHORIZATION_FAILED" },
    { topic: "t", partition: 2, errorCode: 3, errorName: "UNKNOWN_TOPIC_OR_PARTITION" },
  ]);
});

Deno.test("refusedIn() gives nothing where the fault is the member's, or nobody answered", () => {
  for (const error of [failedWith(commitOf(29, 25)), failedWith(commitOf(0)), new Error("nobody is there")]) {
    assertEquals(refusedIn(error, NAMES), null);
  }
});
