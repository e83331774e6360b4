/** What takes too long for the tests of the `kafka` sink: long outages, and many of them. @module */
import { killGateways } from "../adapters/kafka_kills.ts";
import { killBroker, stallBroker } from "../adapters/kafka_outage.ts";
import { KafkaTopic } from "../adapters/kafka_topic.ts";
import { KafkaBroker } from "../services/kafka.ts";
import { seededRandom } from "../support/seeded_random.ts";

const AWAY_MS = 30_000;
const STALLS = 20;
const BROKER_KILLS = 10;
const GATEWAY_KILLS = 20;

/** Runs all of it, and tells what is done; `seed` decides when gateways are killed. */
export async function soakKafka(seed: number): Promise<void> {
  await killBroker(1, AWAY_MS);
  console.log(`soak: a broker was killed and away for ${AWAY_MS / 1000} s; every record is stored once`);
  await stallBroker(STALLS);
  console.log(`soak: a broker stood still ${STALLS} times; every record is stored once`);
  await killBroker(BROKER_KILLS, 0, {
    transactional: true,
    createTopics: true,
    batch: { maxRecords: 200 },
    limit: { recordsPerSecond: 10_000, burstRecords: 200 },
  });
  console.log(`soak: a broker was killed ${BROKER_KILLS} times within transactions; each is stored once`);
  await using broker = await KafkaBroker.start();
  await using topic = await KafkaTopic.create(broker.address, 4);
  await killGateways(topic, GATEWAY_KILLS, seededRandom(seed));
}
