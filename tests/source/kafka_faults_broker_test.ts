/** Brokers that go, topics that come and go, offsets that the broker does not have. @module */
import {
  AclOperations,
  type AclOperationValue,
  AclPermissionTypes,
  Producer,
  ResourcePatternTypes,
  ResourceTypes,
} from "@platformatic/kafka";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { KafkaBroker } from "../services/kafka.ts";
import { consume } from "../services/kcat.ts";
import { requires } from "../support/requirements.ts";
import { sourceOf, SourceStage } from "./source_stage.ts";

const kafka = requires("kafka");
/** Settings of a broker that keeps to ACLs. */
const AUTHORIZING = {
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "allow.everyone.if.no.acl.found": "true",
};
const denial = (topic: string, operation: AclOperationValue) => ({
  resourceType: ResourceTypes.TOPIC,
  resourceName: topic,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal: "User:ANONYMOUS",
  host: "*",
  operation,
  permissionType: AclPermissionTypes.DENY,
});
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ value: JSON.stringify({ n: from + i }) }));

kafka.test("KafkaSource tells which topic is not there, reads the others, and that one when it comes", async () => {
  await using stage = await SourceStage.open(1);
  const late = `${stage.topic}-late`;
  await stage.send(numbers(0, 10));
  const gateway = await stage.gateway({ source: { topics: [stage.topic, late] } });
  await stage.until(() => stage.values().length === 10, "the other topic is stored");
  const { state, reason } = await sourceOf(gateway);
  assertEquals(state, "degraded");
  assertStringIncludes(reason!, JSON.stringify(late));
  const ready = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/readyz`)).json();
  const part = ready.parts.find(({ part }: { part: string }) => part === "source/kafka");
  assertEquals([part.state, part.ready, part.reason], ["degraded", true, reason]);
  await stage.createTopic(late, 1);
  await stage.send(numbers(10, 20).map((sent) => ({ ...sent, topic: late })));
  await stage.until(() => stage.values().length === 20, "the late topic is stored");
  assertEquals((await sourceOf(gateway)).state, "up");
});

kafka.test("KafkaSource goes on with the others when a topic is deleted", async () => {
  await using stage = await SourceStage.open(1);
  const other = `${stage.topic}-other`;
  await stage.createTopic(other, 1);
  await stage.send([...numbers(0, 5), ...numbers(5, 10).map((sent) => ({ ...sent, topic: other }))]);
  const gateway = await stage.gateway({ source: { topics: [stage.topic, other] } });
  await stage.until(() => stage.values().length === 10, "both topics are stored");
  await stage.admin.deleteTopics({ topics: [other] });
  await stage.until(async () => (await sourceOf(gateway)).state === "degraded", "it is told");
  await stage.send(numbers(10, 20));
  await stage.until(() => stage.values().length === 20, "the rest of the other topic is stored");
  await stage.until(async () => (await stage.committed([0]))[0] === 15, "it is committed");
});

kafka.test("KafkaSource reads on from the first record that is left, and counts that, where the next is gone", async () => {
  await using stage = await SourceStage.open(1);
  await stage.send(numbers(0, 10));
  const first = await stage.gateway();
  await stage.until(async () => (await stage.committed([0]))[0] === 10, "all is committed");
  await first.stop();
  await stage.send(numbers(10, 30));
  await stage.admin.deleteRecords({
    topics: [{ name: stage.topic, partitions: [{ partition: 0, offset: 25n }] }],
  });
  const second = await stage.gateway();
  await stage.until(() => stage.values().includes('{"n":29}'), "the rest is stored");
  assertEquals(stage.values().slice(10), numbers(25, 30).map(({ value }) => value));
  assertEquals((await sourceOf(second)).offsetResets, 1);
  await stage.until(async () => (await stage.committed([0]))[0] === 30, "all is committed");
});

kafka.test("KafkaSource begins at the first record, and commits from there, where its group is ahead of the log", async () => {
  await using stage = await SourceStage.open(1);
  await stage.send(numbers(0, 10));
  // As after a restore of a topic, or a move to another cluster.
  await stage.admin.alterConsumerGroupOffsets({
    groupId: stage.topic,
    topics: [{ name: stage.topic, partitionOffsets: [{ partition: 0, offset: 1000n }] }],
  });
  await stage.gateway();
  await stage.until(() => stage.values().length === 10, "all is stored");
  await stage.until(async () => (await stage.committed([0]))[0] === 10, "all is committed");
});

kafka.test("KafkaSource tells a dead broker, and loses nothing when it is back", async () => {
  await using broker = await KafkaBroker.start();
  await using stage = await SourceStage.open(2, broker.address);
  await stage.send(numbers(0, 1000).map((sent, i) => ({ ...sent, partition: i % 2 })));
  const gateway = await stage.gateway({ source: { requestTimeoutMs: 2000 } });
  // A broker that is slow for so long is left too, and what was not committed comes again.
  await stage.until(() => new Set(stage.values()).size === 1000, "all is stored");
  await broker.kill();
  await stage.until(async () => (await sourceOf(gateway)).state === "down", "it is told");
  await broker.restart();
  await stage.send(numbers(1000, 2000).map((sent, i) => ({ ...sent, partition: i % 2 })));
  await stage.until(() => new Set(stage.values()).size === 2000, "the rest is stored");
  await stage.until(async () => (await sourceOf(gateway)).state === "up", "it is up again");
  await stage.until(
    async () => (await stage.committed([0, 1])).every((offset) => offset === 1000),
    "all is committed",
  );
});

requires("kafka", "kcat").test("KafkaSource reads over batches that compaction has emptied", async () => {
  await using broker = await KafkaBroker.start({ settings: { "log.cleaner.backoff.ms": "100" } });
  await using stage = await SourceStage.open(0, broker.address);
  const settings = { "cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01" };
  await stage.createTopic(stage.topic, 1, settings);
  // The broker keeps the last batch of a producer, without the record that the next producer has replaced.
  for (let n = 0; n < 3; n++) {
    const producer = new Producer({
      clientId: "weir-tests",
      bootstrapBrokers: [broker.address],
      idempotent: true,
    });
    await producer.send({ messages: [stage.message({ key: "k", value: `{"n":${n}}` })] });
    await producer.close();
    await delay(200); // the broker's own clock: only a segment that is no longer written to is compacted
  }
  await stage.send([{ key: "z", value: '{"n":9}' }]);
  await stage.until(async () => (await consume(broker.address, stage.topic)).length === 2, "it is compacted");
  await stage.gateway();
  await stage.until(() => stage.values().includes('{"n":9}'), "the rest is stored");
  assertEquals(stage.values(), ['{"n":2}', '{"n":9}']);
  await stage.until(async () => (await stage.committed([0]))[0] === 4, "all is committed");
});

kafka.test("KafkaSource tells of a topic that it may not read, and goes on with the others of the same broker", async () => {
  await using broker = await KafkaBroker.start({ settings: AUTHORIZING });
  await using stage = await SourceStage.open(1, broker.address);
  const other = `${stage.topic}-other`;
  await stage.createTopic(other, 1);
  const gateway = await stage.gateway({ source: { topics: [stage.topic, other] } });
  await stage.send([...numbers(0, 5), ...numbers(5, 10).map((sent) => ({ ...sent, topic: other }))]);
  await stage.until(() => stage.values().length === 10, "both topics are stored");
  const denied = denial(other, AclOperations.READ);
  // Not yet settled, so there is something to commit of both when the one may not be read any more.
  stage.stall("out");
  await stage.send([...numbers(10, 15), ...numbers(15, 20).map((sent) => ({ ...sent, topic: other }))]);
  await stage.until(
    async () => (await sourceOf(gateway)).takenRecords === 20,
    "both have entered the stream",
  );
  // A broker that has just started has no coordinator for a moment.
  const hitches = () => stage.logged("cannot go on reading: tries again");
  const before = hitches();
  await stage.createAcl(denied);
  const told = async () => {
    const { state, reason } = await sourceOf(gateway);
    return [state, reason];
  };
  const fault = `topic ${other}, partition 0: TOPIC_AUTHORIZATION_FAILED (29)`;
  await stage.until(async () => (await told())[1] === fault, "it is told");
  stage.release("out");
  await stage.until(async () => (await stage.committed([0]))[0] === 10, "what it may read is committed");
  await stage.send(numbers(20, 25));
  await stage.until(() => stage.values().length === 25, "the topic that it may read is stored");
  await stage.until(async () => (await stage.committed([0]))[0] === 15, "and committed");
  assertEquals(await told(), ["degraded", fault]);
  assertEquals(hitches(), before, "it never counted as down");
  await stage.admin.deleteAcls({ filters: [denied] });
  await stage.until(async () => (await sourceOf(gateway)).state === "up", "it is told, too");
});

kafka.test("KafkaSource names a topic that it may not even see, and reads it as soon as it may", async () => {
  await using broker = await KafkaBroker.start({ settings: AUTHORIZING });
  await using stage = await SourceStage.open(1, broker.address);
  const other = `${stage.topic}-other`;
  await stage.createTopic(other, 1);
  await stage.send([...numbers(0, 5), ...numbers(5, 10).map((sent) => ({ ...sent, topic: other }))]);
  const denied = denial(other, AclOperations.ALL);
  await stage.createAcl(denied);
  const gateway = await stage.gateway({ source: { topics: [stage.topic, other] } });
  await stage.until(() => stage.values().length === 5, "the topic that it may read is stored");
  const { state, reason } = await sourceOf(gateway);
  assertEquals([state, reason], [
    "degraded",
    `may not read topic ${JSON.stringify(other)}; allow READ on it, or change topics`,
  ]);
  await stage.admin.deleteAcls({ filters: [denied] });
  await stage.until(() => stage.values().length === 10, "the other is stored");
  assertEquals((await sourceOf(gateway)).state, "up");
});
