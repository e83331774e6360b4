/** Records from a real broker's topics in a stream, and what becomes of those that do not fit it. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { Producer } from "@platformatic/kafka";
import { requires } from "../support/requirements.ts";
import { sourceOf, SourceStage } from "./source_stage.ts";

const kafka = requires("kafka");
const numbers = (from: number, to: number, pad = "") =>
  Array.from({ length: to - from }, (_, i) => ({ value: JSON.stringify({ n: from + i, pad }) }));

kafka.test("KafkaSource keeps a record's key, headers and time, and names it by its place", async () => {
  await using stage = await SourceStage.open(2);
  const timestampMs = Date.now();
  await stage.send([
    { partition: 1, key: "käse", value: '{"n":1}', headers: { trace: "t1" }, timestampMs },
    { partition: 1, value: '{"n":2}', timestampMs },
  ]);
  await stage.gateway();
  await stage.until(() => stage.values().length === 2, "both are stored");
  const prefix = await stage.idPrefix();
  assertEquals(stage.got.get("out"), [
    {
      id: `${prefix}-1-0`,
      key: "käse",
      value: '{"n":1}',
      headers: [["trace", "t1"]],
      acceptedAtMs: timestampMs,
    },
    { id: `${prefix}-1-1`, key: null, value: '{"n":2}', headers: [], acceptedAtMs: timestampMs },
  ]);
});

kafka.test("KafkaSource gives records of a topic that was made anew ids of their own", async () => {
  await using stage = await SourceStage.open(1);
  await stage.gateway();
  await stage.send([{ value: '{"n":1}' }]);
  await stage.until(() => stage.values().length === 1, "the first is stored");
  await stage.deleteTopic(stage.topic);
  await stage.createTopic(stage.topic, 1);
  await stage.send([{ value: '{"n":2}' }]);
  await stage.until(() => stage.values().includes('{"n":2}'), "that of the new topic is stored");
  const ids = stage.got.get("out")!.map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
  assertEquals(ids.at(-1), `${await stage.idPrefix()}-0-0`);
});

kafka.test("KafkaSource takes the stream's key where a record has none of its own", async () => {
  await using stage = await SourceStage.open(1);
  await stage.send([{ value: '{"id":"a"}' }, { key: "b", value: '{"id":"a"}' }]);
  await stage.gateway({ stream: { key: "/id" } });
  await stage.until(() => stage.values().length === 2, "both are stored");
  assertEquals(stage.got.get("out")!.map(({ key }) => key), ["a", "b"]);
});

kafka.test("KafkaSource sends what the stream does not take to the dead letter, and commits behind it", async () => {
  await using stage = await SourceStage.open(1);
  await stage.send([
    { value: '{"n":1}' },
    { key: "bad", value: "{no json" },
    { value: null },
    { value: JSON.stringify("x".repeat(3000)) },
    { value: '{"n":2}' },
  ]);
  const gateway = await stage.gateway({ stream: { maxRecordBytes: 2000 } });
  await stage.until(async () => (await stage.committed([0]))[0] === 5, "all is committed");
  assertEquals(stage.values(), ['{"n":1}', '{"n":2}']);
  const letters = (await Deno.readTextFile(`${stage.folder}/dead-letter/out.ndjson`)).trimEnd().split("\n")
    .map((line) => JSON.parse(line));
  const prefix = await stage.idPrefix();
  assertEquals(letters.map(({ id }) => id), [1, 2, 3].map((offset) => `${prefix}-0-${offset}`));
  assertEquals(letters.map(({ value }) => value.length), [8, 0, 3002]);
  assertEquals([letters[0].stream, letters[0].key, letters[0].attempts], ["events", "bad", 0]);
  assertStringIncludes(letters[0].reason, `topic ${stage.topic}, partition 0, offset 1: `);
  assertStringIncludes(letters[1].reason, "tombstone");
  assertStringIncludes(letters[2].reason, "over maxRecordBytes (2000)");
  const { takenRecords, refusedRecords } = await sourceOf(gateway);
  assertEquals([takenRecords, refusedRecords], [2, 3]);
});

kafka.test("KafkaSource holds back one partition whose refused records cannot be stored, and no other", async () => {
  await using stage = await SourceStage.open(2);
  stage.stall("letters");
  await stage.send(Array.from({ length: 300 }, () => ({ partition: 0, value: "no json" })));
  await stage.send(numbers(0, 300).map((sent) => ({ ...sent, partition: 1 })));
  const gateway = await stage.gateway({
    sinks: { out: { type: "got", deadLetter: "letters" }, letters: { type: "got" } },
  });
  await stage.until(() => stage.values().length === 300, "the other partition is stored");
  await stage.until(async () => (await stage.committed([1]))[0] === 300, "it is committed");
  const { partitions, refusedRecords } = await sourceOf(gateway);
  assertEquals(partitions.toSorted((a, b) => a.partition - b.partition).map(({ paused }) => paused), [
    true,
    false,
  ]);
  assert(refusedRecords < 300, "what waits is bounded");
  assert((await stage.committed([0]))[0] <= 0, "nothing of it is committed");
  stage.release("letters");
  await stage.until(async () => (await stage.committed([0]))[0] === 300, "the rest is refused too");
  assertEquals(stage.values("letters").length, 300);
});

kafka.test("KafkaSource never delivers aborted records, also where the abort stands in a later fetch", async () => {
  await using stage = await SourceStage.open(1);
  const producer = new Producer({
    clientId: "weir-tests",
    bootstrapBrokers: [stage.address],
    transactionalId: stage.topic,
    idempotent: true,
    producerId: -1n,
    producerEpoch: -1,
    // A broker takes its time to create the topic of its transactions for the first that asks.
    retries: 1000,
    retryDelay: 50,
  });
  const kept: string[] = [];
  for (let round = 0; round < 6; round++) {
    const transaction = await producer.beginTransaction();
    const commits = round % 2 === 1;
    for (let k = 0; k < 5; k++) {
      const values = numbers(0, 10, `${commits ? "kept" : "aborted"}-${round}-${k}-${"x".repeat(200)}`);
      await transaction.send({ messages: values.map((sent) => stage.message(sent)) });
      if (commits) kept.push(...values.map(({ value }) => value));
    }
    if (commits) await transaction.commit();
    else await transaction.abort();
  }
  await producer.close();
  await stage.send([{ value: '{"last":true}' }]);
  // A fetch brings one batch of ten, so that the marker of its transaction comes some fetches later.
  await stage.gateway({ source: { fetchBytes: 1024 } });
  await stage.until(() => stage.values().includes('{"last":true}'), "the last is stored");
  assertEquals(stage.values(), [...kept, '{"last":true}']);
  await stage.until(async () => (await stage.committed([0]))[0] === 307, "markers are committed too");
});

kafka.test("KafkaSource pauses partitions while the stream has no room, and reads on without a loss", async () => {
  await using stage = await SourceStage.open(4);
  stage.stall("out");
  const all = numbers(0, 12_000, "x".repeat(1000));
  await stage.send(all.map((sent, i) => ({ ...sent, partition: i % 4 })));
  const gateway = await stage.gateway({
    buffers: { segments: 40 },
    sinks: { out: { type: "got", timeoutMs: 60_000 } },
  });
  await stage.until(
    async () => (await sourceOf(gateway)).partitions.filter(({ paused }) => paused).length === 4,
    "every partition waits",
  );
  const { takenRecords, state, heldBytes } = await sourceOf(gateway);
  assert(takenRecords < 2000, `taken is what fits, not ${takenRecords}`);
  assert(heldBytes < 40 * 1_048_576);
  assertEquals(state, "up");
  // Some commit intervals, in which a commit that runs ahead of the sink would show.
  await delay(500);
  assert((await stage.committed([0, 1, 2, 3])).every((offset) => offset <= 0), "nothing is committed");
  stage.release("out");
  await stage.until(
    async () => (await stage.committed([0, 1, 2, 3])).every((offset) => offset === 3000),
    "all is committed",
  );
  assertEquals(stage.values().toSorted(), all.map(({ value }) => value).toSorted());
});

kafka.test("KafkaSource fetches on of other partitions while one has records that find no room", async () => {
  await using stage = await SourceStage.open(2);
  stage.stall("out");
  await stage.send(numbers(0, 6_000, "x".repeat(400)).map((sent) => ({ ...sent, partition: 0 })));
  const gateway = await stage.gateway({
    buffers: { segments: 40 },
    sinks: { out: { type: "got", timeoutMs: 60_000 } },
  });
  const partitions = async () =>
    (await sourceOf(gateway)).partitions.toSorted((a, b) => a.partition - b.partition);
  await stage.until(async () => (await partitions())[0]?.paused === true, "the full one waits");
  assertEquals((await partitions()).map(({ paused }) => paused), [true, false]);
  // The room is the stream's, first come first served: what comes now is fetched, and waits behind the first.
  await stage.send(numbers(6_000, 6_010).map((sent) => ({ ...sent, partition: 1 })));
  await stage.until(async () => (await partitions())[1].position === 10, "the other one is fetched");
  stage.release("out");
  await stage.until(
    async () => (await stage.committed([0, 1])).join() === "6000,10",
    "all of both is committed",
  );
  assertEquals(stage.values().length, 6_010);
});

kafka.test("KafkaSource goes on after a clean stop where it was: nothing is missing, nothing comes twice", async () => {
  await using stage = await SourceStage.open(2);
  const all = numbers(0, 2000);
  await stage.send(all.map((sent, i) => ({ ...sent, partition: i % 2 })));
  const first = await stage.gateway();
  await stage.until(() => stage.values().length > 0, "something is stored");
  assertEquals((await first.stop()).failures, []);
  await stage.gateway();
  await stage.until(() => stage.values().length >= 2000, "all is stored");
  assertEquals(stage.values().toSorted(), all.map(({ value }) => value).toSorted());
});

kafka.test("Gateway.reload() gives a running source another stream's unit, and takes a source out", async () => {
  await using stage = await SourceStage.open(1);
  await stage.send(numbers(0, 500));
  const gateway = await stage.gateway();
  await stage.until(() => stage.values().length === 500, "all is stored");
  const { sources: kept } = await gateway.reload(stage.config({ stream: { maxRecordBytes: 500_000 } }));
  assertEquals(kept, { added: [], changed: [], removed: [] });
  await stage.send(numbers(500, 1000));
  await stage.until(() => stage.values().length === 1000, "the rest is stored");
  const { sources: gone } = await gateway.reload({ ...stage.config({}), sources: {} });
  assertEquals(gone.removed, ["kafka"]);
  assertEquals(await sourceOf(gateway), undefined);
  await stage.until(async () => (await stage.committed([0]))[0] === 1000, "all is committed");
  await stage.until(async () => await stage.groupState() === "EMPTY", "the group is left");
});
