/** The `kafka` sink and answers that a real broker of today cannot be made to give. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { outcomesOf } from "../support/written.ts";
import { Api, BrokenBroker, type ToldTopic } from "./kafka/broken_broker.ts";
import { OpenSink, reasonsOf } from "./kafka_sink.ts";

const TOPICS: readonly [string, ToldTopic, string][] = [
  // Brokers with ZooKeeper answer so while they create a topic.
  ["is being created", { code: 5, partitions: 0 }, "LEADER_NOT_AVAILABLE (5)"],
  ["has no partitions", { code: 0, partitions: 0 }, "it has no partitions"],
  ["is left out of the answer", { code: 0, partitions: 1, name: "another" }, "told nothing of the topic"],
];

for (const [what, topic, reason] of TOPICS) {
  Deno.test(`kafka sink keeps records whose topic ${what}, and stores them when it is there`, async () => {
    await using broker = await BrokenBroker.open("orders");
    broker.topic = topic;
    await using sink = await OpenSink.open({ brokers: [broker.address], topic: "orders" });
    const records = ["without key", { key: "k", value: "with key" }];
    const early = await sink.write(records);
    assertEquals(outcomesOf(early), [1, 1]);
    assertStringIncludes(reasonsOf(early)[0], reason);
    assertEquals(broker.asked.get(Api.PRODUCE), undefined);
    broker.topic = { code: 0, partitions: 1 };
    assertEquals(outcomesOf(await sink.write(records)), [0, 0]);
    assertEquals(broker.asked.get(Api.PRODUCE), 1);
  });
}
