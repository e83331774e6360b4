/** The brokers that tests start do start, and come back on their data. @module */
import { assertEquals } from "@std/assert";
import { requires } from "../support/requirements.ts";
import { KafkaAdmin } from "./kafka_admin.ts";
import { KafkaBroker, sharedKafka } from "./kafka.ts";
import { consume, produce } from "./kcat.ts";

requires("kafka", "kcat", "mvn").test(
  "KafkaBroker.restart() brings a killed broker back on its data and address",
  async () => {
    await using broker = await KafkaBroker.start();
    {
      await using admin = new KafkaAdmin(broker.address);
      await admin.createTopic("events");
    }
    await produce(broker.address, "events", ["1", "2"]);
    await broker.kill();
    await broker.restart();
    assertEquals((await consume(broker.address, "events")).map(({ value }) => value), ["1", "2"]);
  },
);

requires("kafka").test("sharedKafka() gives all tests of a file the same broker", async () => {
  assertEquals(await sharedKafka(), await sharedKafka());
});
