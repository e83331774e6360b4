/**
 * What tests change and ask at a broker: topics with their settings, quotas and rights. By the client library's admin,
 * as the broker's own commands start a JVM each.
 *
 * @module
 */
import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka";

/** A broker's administrator, connected to its plain listener. */
export class KafkaAdmin implements AsyncDisposable {
  readonly #admin: Admin;

  /** Connects when it is first used. */
  constructor(address: string) {
    this.#admin = new Admin({
      clientId: "weir-tests",
      bootstrapBrokers: [address],
      retries: 10,
      retryDelay: 200,
    });
  }

  /** Creates a topic and waits until brokers know it; `settings` as in Kafka's topic configs. */
  async createTopic(
    topic: string,
    partitions = 1,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await this.#admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
    await this.#admin.metadata({ topics: [topic], forceUpdate: true });
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

  /** Disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.close();
  }
}
