/**
 * What is committed, when, and what becomes of a commit that is not taken. The member is a fake: a group that refuses one
 * partition at a given moment is in `kafka_faults_broker_test.ts`.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { type CommittedReader, OffsetCommits } from "../../src/source/offset_commits.ts";
import type { PartitionAnswer, PartitionOffset } from "../../src/source/topic_partition.ts";
import { LogLines } from "../support/log_lines.ts";
import { ManualClock } from "../support/manual_clock.ts";

const COMMIT_MS = 500;

class Group {
  readonly clock = new ManualClock();
  readonly log = new LogLines();
  readonly readers = [0, 1].map((partition) => ({
    topic: "t",
    partition,
    settledTo: 0,
    committed: -1,
    commitFault: null as string | null,
  })) satisfies CommittedReader[];
  readonly committed: (readonly PartitionOffset[])[] = [];
  /** What the group does not take. */
  refused: PartitionAnswer[] = [];
  /** Why it takes nothing; null when it does. */
  error: Error | null = null;
  /** Called while a commit is under way. */
  meanwhile: () => void = () => {};
  unknown = 0;
  readonly failures: unknown[] = [];
  readonly commits = new OffsetCommits({
    readers: this.readers,
    commitMs: COMMIT_MS,
    clock: this.clock,
    log: this.log,
    onUnknown: () => this.unknown++,
    onFailed: (error) => this.failures.push(error),
  });

  commit(offsets: readonly PartitionOffset[]): Promise<PartitionAnswer[]> {
    if (this.error !== null) return Promise.reject(this.error);
    this.committed.push(offsets);
    this.meanwhile();
    return Promise.resolve(this.refused);
  }
}

Deno.test("OffsetCommits.begin() commits what is settled and not committed, every commitMs", async () => {
  const group = new Group();
  group.readers[1].committed = 0;
  group.commits.begin(group);
  await group.clock.run(COMMIT_MS);
  group.readers[1].settledTo = 7;
  await group.clock.run(COMMIT_MS);
  await group.clock.run(COMMIT_MS);
  assertEquals(group.committed, [
    [{ topic: "t", partition: 0, offset: 0 }],
    [{ topic: "t", partition: 1, offset: 7 }],
  ]);
});

Deno.test("OffsetCommits.commit() tells a partition that the group does not take once, and tries it again", async () => {
  const group = new Group();
  group.commits.begin(group);
  const denied = { topic: "t", partition: 1, errorCode: 29, errorName: "TOPIC_AUTHORIZATION_FAILED" };
  group.refused = [denied];
  await group.commits.commit();
  await group.commits.commit();
  assertEquals(group.readers.map(({ committed }) => committed), [0, -1]);
  assertEquals(group.readers.map(({ commitFault }) => commitFault), [
    null,
    "topic t, partition 1: TOPIC_AUTHORIZATION_FAILED (29), at a commit",
  ]);
  assertEquals([group.log.lines.length, group.unknown], [1, 0]);
  group.refused = [{ ...denied, errorCode: 3, errorName: "UNKNOWN_TOPIC_OR_PARTITION" }];
  await group.commits.commit();
  assertEquals([group.log.lines.length, group.unknown], [2, 1]);
  group.refused = [];
  await group.commits.commit();
  assertEquals(group.readers.map(({ committed, commitFault }) => [committed, commitFault]), [
    [0, null],
    [0, null],
  ]);
});

Deno.test("OffsetCommits.commit() does not take for committed what is of a log that was lost meanwhile", async () => {
  const group = new Group();
  group.commits.begin(group);
  group.readers[0].settledTo = 1000;
  group.meanwhile = () => {
    group.readers[0].settledTo = 3;
    group.readers[0].committed = -1;
  };
  await group.commits.commit();
  assertEquals(group.readers[0].committed, -1);
});

Deno.test("OffsetCommits goes on by the clock after a commit that failed, and still commits when it is stopped", async () => {
  const group = new Group();
  group.commits.begin(group);
  group.error = new Error("nobody is there");
  await group.clock.run(COMMIT_MS);
  assertEquals([group.failures, group.clock.pending], [[group.error], 1]);
  group.commits.stop();
  assertEquals(group.clock.pending, 0);
  await assertRejects(() => group.commits.commit(), Error, "nobody is there");
  group.error = null;
  await group.commits.commit();
  assertEquals(group.readers.map(({ committed }) => committed), [0, 0]);
});
