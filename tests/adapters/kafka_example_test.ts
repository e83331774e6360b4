/** `examples/kafka.yaml` runs as the README says, with the rights that its config needs and no others. @module */
import { assert, assertEquals } from "@std/assert";
import { sharedKafka } from "../services/kafka.ts";
import { exampleConfig } from "../support/example_config.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { KafkaTopic } from "./kafka_topic.ts";

requires("kafka", "kcat").test("examples/kafka.yaml stores a record with least rights", async () => {
  await using topic = await KafkaTopic.create(await sharedKafka());
  const config = await exampleConfig("kafka.yaml");
  config.sinks.kafka.topic = topic.name;
  await using gateway = await GatewayProcess.start(config, {
    env: { KAFKA_BROKER: topic.address },
    hasLeastRights: true,
  });
  const body = '{"user":"ada","action":"login"}';
  const response = await fetch(`${gateway.url}/v1/streams/events`, { method: "POST", body });
  assert(response.ok, await response.text());
  assertEquals(await gateway.stop(), 0);
  assertEquals((await topic.records()).map(({ key, value }) => [key, value]), [["ada", body]]);
});
