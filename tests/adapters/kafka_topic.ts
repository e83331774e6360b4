/** A topic of one test's own on a broker that tests share. @module */
import { KafkaAdmin } from "../services/kafka_admin.ts";
import { consume, type StoredRecord } from "../services/kcat.ts";

/** The topic; it is removed with its test. */
export class KafkaTopic implements AsyncDisposable {
  /** `host:port` of the broker. */
  readonly address: string;
  /** Its name. */
  readonly name: string;
  readonly #admin: KafkaAdmin;

  private constructor(address: string, name: string) {
    this.address = address;
    this.name = name;
    this.#admin = new KafkaAdmin(address);
  }

  /** Creates one; `settings` as in Kafka's topic configs. */
  static async create(
    address: string,
    partitions = 1,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<KafkaTopic> {
    const topic = new KafkaTopic(address, `weir-test-${crypto.randomUUID()}`);
    await topic.#admin.createTopic(topic.name, partitions, settings);
    return topic;
  }

  /** Resolves when no transaction is open in it. */
  async settled(): Promise<void> {
    await this.#admin.settled(this.name);
  }

  /** All that is stored, partition by partition, once no transaction is open. */
  async records(): Promise<StoredRecord[]> {
    await this.settled();
    return await consume(this.address, this.name);
  }

  /** The values of `records()`. */
  async values(): Promise<Uint8Array[]> {
    return (await this.records()).map(({ bytes }) => bytes);
  }

  /** Removes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.deleteTopic(this.name);
    await this.#admin[Symbol.asyncDispose]();
  }
}
