/**
 * What tests change and ask at a broker: topics with their settings, quotas and rights. By the client library's admin,
 * as the broker's own commands start a JVM each.
 *
 * @module
 */
import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import {
  Admin,
  ConfigResourceTypes,
  FetchIsolationLevels,
  IncrementalAlterConfigOperationTypes,
} from "@platformatic/kafka";

const END = -1n;
/** Brokers that were just started share two cores with other tests. */
const SETTLED_DEADLINE_MS = 60_000;
/** How long a broker may take to do what it is asked for; what it gives up it may have done. */
const BROKER_TIMEOUT_MS = 25_000;

/** A broker's administrator, connected to its plain listener. */
export class KafkaAdmin implements AsyncDisposable {
  readonly #admin: Admin;

  /** Connects when it is first used. */
  constructor(address: string) {
    this.#admin = new Admin({
      clientId: "weir-tests",
      bootstrapBrokers: [address],
      timeout: BROKER_TIMEOUT_MS,
      retries: 200,
      retryDelay: 50,
    });
  }

  /**
   * Creates a topic and waits until brokers take records of it; `settings` as in Kafka's topic configs. A broker answers
   * when the topic is decided on, tells of it some ms later, and opens its logs some ms after that.
   */
  async createTopic(
    topic: string,
    partitions = 1,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await this.#admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
    const deadlineMs = performance.now() + SETTLED_DEADLINE_MS;
    for (;;) {
      try {
        if ((await this.#ends(topic, FetchIsolationLevels.READ_UNCOMMITTED)).length === partitions) return;
      } catch (error) {
        if (performance.now() > deadlineMs) throw error;
      }
      assert(performance.now() < deadlineMs, `the broker tells of ${partitions} partitions of ${topic}`);
      await delay(20);
    }
  }

  /** Names of the topics that are there; asking creates none. */
  async topics(): Promise<string[]> {
    return await this.#admin.listTopics();
  }

  /** Deletes a topic. */
  async deleteTopic(topic: string): Promise<void> {
    await this.#admin.deleteTopics({ topics: [topic] });
  }

  /** Changes a setting of a topic. */
  async configureTopic(topic: string, name: string, value: string): Promise<void> {
    await this.#admin.incrementalAlterConfigs({
      validateOnly: false,
      resources: [{
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: topic,
        configs: [{ name, value, configOperation: IncrementalAlterConfigOperationTypes.SET }],
      }],
    });
  }

  /** A setting of a topic. */
  async topicSetting(topic: string, name: string): Promise<string | undefined> {
    const [{ configs }] = await this.#admin.describeConfigs({
      resources: [{
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: topic,
        configurationKeys: [name],
      }],
    });
    return configs.find((config) => config.name === name)?.value ?? undefined;
  }

  /**
   * Resolves when no transaction is open in `topic`. A broker answers a commit when it has promised it, and writes the
   * marks that show the records to readers some ms later; who asks in between misses the last ones.
   */
  async settled(topic: string): Promise<void> {
    const deadlineMs = performance.now() + SETTLED_DEADLINE_MS;
    for (;;) {
      const all = await this.#ends(topic, FetchIsolationLevels.READ_UNCOMMITTED);
      const committed = await this.#ends(topic, FetchIsolationLevels.READ_COMMITTED);
      // A broker tells a topic that it has just heard of without its partitions.
      if (all.length > 0 && all.every((end, partition) => end <= (committed[partition] ?? 0n))) return;
      if (performance.now() > deadlineMs) {
        throw new Error(
          `a transaction in ${topic} is still open: ends ${all}, of what is committed ${committed}`,
        );
      }
      await delay(20);
    }
  }

  /** Bytes per second that clients with `clientId` may produce. */
  async limitProducer(clientId: string, bytesPerSecond: number): Promise<void> {
    await this.#admin.alterClientQuotas({
      validateOnly: false,
      entries: [{
        entities: [{ entityType: "client-id", entityName: clientId }],
        ops: [{ key: "producer_byte_rate", value: bytesPerSecond, remove: false }],
      }],
    });
  }

  /** The offsets behind the last records of all partitions. */
  async #ends(topic: string, isolationLevel: 0 | 1): Promise<bigint[]> {
    const metadata = await this.#admin.metadata({ topics: [topic], forceUpdate: true });
    const count = metadata.topics.get(topic)?.partitionsCount ?? 0;
    const partitions = Array.from({ length: count }, (_, partitionIndex) => ({
      partitionIndex,
      timestamp: END,
    }));
    if (count === 0) return [];
    const [answer] = await this.#admin.listOffsets({ topics: [{ name: topic, partitions }], isolationLevel });
    const ends = answer.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex);
    return ends.map(({ offset }) => offset);
  }

  /** Disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.close();
  }
}
