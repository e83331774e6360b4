/** Brokers and gateways that are killed in the middle of transactions. @module */
import { sharedKafka } from "../services/kafka.ts";
import { requires } from "../support/requirements.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { killCommits } from "./kafka_killed_commits.ts";
import { killGateways } from "./kafka_kills.ts";
import { killBroker } from "./kafka_outage.ts";
import { KafkaTopic } from "./kafka_topic.ts";

requires("kafka", "kcat", "mvn").test(
  "kafka sink stores each transaction once when the broker is killed in the middle of it",
  () =>
    killBroker(1, 0, {
      transactional: true,
      createTopics: true,
      batch: { maxRecords: 200 },
      limit: { recordsPerSecond: 10_000, burstRecords: 200 },
    }),
);

requires("kafka", "kcat", "mvn").test(
  "kafka sink commits what it was committing when the broker was killed, and readers see it",
  () => killCommits(2, seededRandom(6)),
);

requires("kafka", "kcat").test(
  "kafka sink leaves no half batch and misses none that was acked when the gateway is killed",
  async () => {
    await using topic = await KafkaTopic.create(await sharedKafka(), 4);
    await killGateways(topic, 4, seededRandom(20));
  },
);
