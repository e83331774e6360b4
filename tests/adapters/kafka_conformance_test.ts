/** The `kafka` sink keeps what every sink promises, on a real broker. @module */
import { kafkaSink } from "../../adapters/kafka.ts";
import { sharedKafka } from "../services/kafka.ts";
import { conformance } from "./conformance.ts";
import { KafkaTopic } from "./kafka_topic.ts";

for (
  const options of [
    {},
    { compression: "zstd" },
    { idempotent: false, acks: "leader" },
    { transactional: true, createTopics: true },
  ]
) {
  conformance({
    name: `kafka ${JSON.stringify(options)}`,
    definition: kafkaSink,
    holds: "bytes",
    cloudEvents: "value",
    needs: ["kafka"],
    async place() {
      const topic = await KafkaTopic.create(await sharedKafka());
      return {
        options: { brokers: [topic.address], topic: topic.name, ...options },
        stored: () => topic.values(),
        [Symbol.asyncDispose]: () => topic[Symbol.asyncDispose](),
      };
    },
  });
}
