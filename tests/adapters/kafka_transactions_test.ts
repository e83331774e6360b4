/** Batches in transactions on a real broker: all of a batch or nothing, and one gateway for each transactional id. @module */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { KafkaAdmin } from "../services/kafka_admin.ts";
import { sharedKafka } from "../services/kafka.ts";
import { consume } from "../services/kcat.ts";
import type { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, reasonsOf } from "../support/written.ts";
import { delivered, startGateway } from "./kafka_gateway.ts";
import { openKafka } from "./kafka_sink.ts";
import { KafkaTopic } from "./kafka_topic.ts";

/** Options of a sink with transactions, by an id that no other test has. */
function transactional(topic: KafkaTopic): Readonly<Record<string, unknown>> & { transactionalId: string } {
  return {
    brokers: [topic.address],
    topic: topic.name,
    transactional: true,
    transactionalId: `weir-test-${crypto.randomUUID()}`,
    createTopics: true,
  };
}

requires("kafka", "kcat").test(
  "kafka sink stores a batch and its position in one transaction, in a compacted topic",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka(), 3);
    await using positions = await KafkaTopic.create(topic.address, 2, { "cleanup.policy": "compact" });
    const options = { ...transactional(topic), positionTopic: positions.name };
    await using sink = await openKafka(options);
    const keyed = Array.from({ length: 100 }, (_, i) => ({ key: `k${i}`, value: `${i}` }));
    assertEquals(outcomesOf(await sink.write(keyed)).filter((outcome) => outcome !== 0), []);
    assertEquals(outcomesOf(await sink.write(["last"])), [0]);

    const values = (await topic.records()).map(({ value }) => value);
    assertEquals(values.toSorted(), [...keyed.map(({ value }) => value), "last"].toSorted());
    const stored = await positions.records();
    assertEquals(stored.map(({ key }) => key), Array(2).fill(`${options.transactionalId}-0`));
    assertEquals(stored.map(({ value }) => JSON.parse(value).batch), [1, 2]);
  },
);

requires("kafka", "kcat").test(
  "kafka sink creates the topic of positions as a compacted one, or tells that it is not there",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka());
    await using admin = new KafkaAdmin(topic.address);
    const positionTopic = `weir-test-${crypto.randomUUID()}`;
    {
      await using sink = await openKafka({ ...transactional(topic), positionTopic, createTopics: false });
      const result = await sink.write(["1"]);
      assertEquals(outcomesOf(result), [1]);
      assertStringIncludes(reasonsOf(result)[0], `there is no topic ${positionTopic}`);
      await assertRejects(() => sink.check(), Error, `there is no topic ${positionTopic}`);
    }
    {
      await using sink = await openKafka({ ...transactional(topic), positionTopic });
      assertEquals(outcomesOf(await sink.write(["1"])), [0]);
    }
    assertEquals(await admin.topicSetting(positionTopic, "cleanup.policy"), "compact");
    assertEquals((await topic.records()).map(({ value }) => value), ["1"]);
    await admin.deleteTopic(positionTopic);
  },
);

requires("kafka", "kcat").test(
  "kafka sink stores nothing of a batch of which a topic is missing, and the rest of one with a record too large",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka(), 1, { "max.message.bytes": "4096" });
    const missing = `weir-test-${crypto.randomUUID()}`;
    await using sink = await openKafka({
      ...transactional(topic),
      topic: { header: "to", allow: [topic.name, missing] },
      // The missing topic is to stay missing.
      createTopics: false,
      positionTopic: await positionsOf(topic),
    });
    const to = (name: string, value: string) => ({ value, headers: [["to", name]] as const });
    const half = await sink.write([to(topic.name, "1"), to(missing, "2")]);
    assertEquals(outcomesOf(half), [1, 1]);
    assertEquals(await consume(topic.address, topic.name, { isolation: "read_uncommitted" }), []);

    const noise = crypto.getRandomValues(new Uint8Array(8000)).toHex();
    const cut = await sink.write([to(topic.name, "1"), to(topic.name, noise), to(topic.name, "3")]);
    assertEquals(outcomesOf(cut), [0, 2, 0]);
    assertEquals((await topic.records()).map(({ value }) => value), ["1", "3"]);
  },
);

requires("kafka", "kcat").test(
  "kafka sink gives way to another gateway with its transactional id when it is fenced twice, and says so",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka());
    const options = transactional(topic);
    await using first = await openKafka(options);
    await using second = await openKafka(options);
    assertEquals(outcomesOf(await first.write(["first 1"])), [0]);
    assertEquals(outcomesOf(await second.write(["second 1"])), [0]);
    // One new start each: an id may be handed over.
    assertEquals(outcomesOf(await first.write(["lost"])), [1]);
    assertEquals(outcomesOf(await first.write(["first 2"])), [0]);
    assertEquals(outcomesOf(await second.write(["lost"])), [1]);
    assertEquals(outcomesOf(await second.write(["second 2"])), [0]);

    const told = `another gateway writes with the transactional id ${options.transactionalId}-0`;
    for (let attempt = 0; attempt < 3; attempt++) {
      const result = await first.write(["never"]);
      assertEquals(outcomesOf(result), [1]);
      assertStringIncludes(reasonsOf(result)[0], told);
    }
    await assertRejects(() => first.check(), Error, told);
    // The one that gave way takes nothing from the other any more.
    assertEquals(outcomesOf(await second.write(["second 3"])), [0]);
    assertEquals(
      (await topic.records()).map(({ value }) => value),
      ["first 1", "second 1", "first 2", "second 2", "second 3"],
    );
  },
);

requires("kafka", "kcat").test(
  "a gateway whose transactional id another has names it in readyz, and stores its records under another id",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka());
    const sink = { transactional: true, transactionalId: topic.name, createTopics: true, downAfterMs: 200 };
    await using first = await startGateway(topic, sink);
    await using second = await startGateway(topic, sink);
    const write = async (gateway: GatewayProcess, body: string, count: number) => {
      await (await fetch(`${gateway.url}/v1/streams/events`, { method: "POST", body })).body?.cancel();
      await delivered(gateway, count);
    };
    // Each takes the id from the other, once.
    await write(first, '{"n":1}', 1);
    await write(second, '{"n":2}', 1);
    await write(first, '{"n":3}', 2);
    await write(second, '{"n":4}', 2);
    const response = await fetch(`${first.url}/v1/streams/events`, { method: "POST", body: '{"n":5}' });
    assertEquals(response.status, 202, await response.text());
    const told = `another gateway writes with the transactional id ${topic.name}-0`;
    await first.program.waitUntil(
      async () => (await (await fetch(`${first.adminUrl}/readyz`)).text()).includes(told),
      60_000,
      "readyz named the id",
    );
    await write(second, '{"n":6}', 3);
    const values = (await topic.records()).map(({ value }) => value);
    assertEquals(values, ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}', '{"n":6}']);

    const config = JSON.parse(await Deno.readTextFile(first.configPath));
    config.sinks.kafka.transactionalId = `${topic.name}-other`;
    await Deno.writeTextFile(first.configPath, JSON.stringify(config));
    first.program.signal("SIGHUP");
    await delivered(first, 3);
    assertEquals((await topic.records()).at(-1)?.value, '{"n":5}');
  },
);

/** The topic of positions that the other tests use, which is there afterwards. */
async function positionsOf(topic: KafkaTopic): Promise<string> {
  await using sink = await openKafka(transactional(topic));
  await sink.check();
  return "weir-positions";
}
