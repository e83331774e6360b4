/** A broker that creates topics by itself, as Kafka does by default, and who may make it do so. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { KafkaAdmin } from "../services/kafka_admin.ts";
import { KafkaBroker } from "../services/kafka.ts";
import { consume } from "../services/kcat.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, reasonsOf } from "../support/written.ts";
import { openKafka } from "./kafka_sink.ts";

/** A topic is there after some ms; a broker that has just booted is slower, and shares two cores with other tests. */
const CREATION_DEADLINE_MS = 60_000;

requires("kafka", "kcat", "mvn").test(
  "kafka sink keeps records whose topic a broker would create, and has it created only with createTopics",
  async () => {
    await using broker = await KafkaBroker.start({ settings: { "auto.create.topics.enable": "true" } });
    await using admin = new KafkaAdmin(broker.address);
    const brokers = [broker.address];
    await using sink = await openKafka({ brokers, topic: "typo" });
    const assertKept = async () => {
      const result = await sink.write(["1", "2"]);
      assertEquals(outcomesOf(result), [1, 1]);
      assertStringIncludes(reasonsOf(result)[0], "there is no topic typo; create it, or set createTopics");
    };
    await assertKept();

    await using creating = await openKafka({ brokers, topic: "wanted", createTopics: true });
    // As the lane does: what is not stored goes again.
    let outcomes = outcomesOf(await creating.write(["1", "2"]));
    for (const startMs = performance.now(); outcomes.includes(1);) {
      assert(performance.now() - startMs < CREATION_DEADLINE_MS, "the topic is there in time");
      await delay(20);
      outcomes = outcomesOf(await creating.write(["1", "2"]));
    }
    assertEquals(outcomes, [0, 0]);
    assertEquals((await consume(broker.address, "wanted")).map(({ value }) => value), ["1", "2"]);

    // A broker takes a moment to create a topic; one that it was asked for before the other is there by now.
    await assertKept();
    const topics = await admin.topics();
    assertEquals([topics.includes("wanted"), topics.includes("typo")], [true, false]);
  },
);
