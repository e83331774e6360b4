/** A producer quota of the broker reaches WebSocket clients: credit stops, and a plain socket is read no more. @module */
import { assert } from "@std/assert";
import { KafkaAdmin } from "../services/kafka_admin.ts";
import { sharedKafka } from "../services/kafka.ts";
import type { GatewayProcess, RawConfig } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { frameOf, SocketClient } from "../support/socket_client.ts";
import { assertNumbers, delivered, startGateway } from "./kafka_gateway.ts";
import { KafkaTopic } from "./kafka_topic.ts";

const QUOTA_BYTES_PER_SECOND = 500_000;
/** A broker of two windows of 1 s gives the second one in advance, and what is on its way as it begins to count. */
const AHEAD_SECONDS = 3;
const RECORDS = 5_000;
const PADDING = 1000;
const SEGMENT_BYTES = 32_768;
const SEGMENTS = 48;
/** At the quota's rate all of it takes 10 s. */
const DEADLINE_MS = 60_000;
const PATH = "/v1/streams/events";

class Stage implements AsyncDisposable {
  readonly topic: KafkaTopic;
  readonly gateway: GatewayProcess;

  private constructor(topic: KafkaTopic, gateway: GatewayProcess) {
    this.topic = topic;
    this.gateway = gateway;
  }

  static async open(stream: RawConfig): Promise<Stage> {
    const address = await sharedKafka();
    const clientId = `weir-${crypto.randomUUID()}`;
    await using admin = new KafkaAdmin(address);
    await admin.limitProducer(clientId, QUOTA_BYTES_PER_SECOND);
    const topic = await KafkaTopic.create(address, 4);
    const gateway = await startGateway(
      topic,
      { clientId, batch: { maxBytes: 65_536 } },
      { maxRecordBytes: 4000, ...stream },
      { segmentBytes: SEGMENT_BYTES, segments: SEGMENTS },
    );
    return new Stage(topic, gateway);
  }

  async throttledSeconds(): Promise<number> {
    return await this.gateway.metric("weir_sink_throttle_seconds_total", { sink: "kafka" });
  }

  /** Records that entered the stream and are not stored. */
  async held(): Promise<number> {
    const accepted = await this.gateway.metric("weir_records_total", {
      stream: "events",
      outcome: "accepted",
    });
    return accepted - await this.gateway.metric("weir_sink_records_total", { outcome: "delivered" });
  }

  async assertStored(): Promise<void> {
    await delivered(this.gateway, RECORDS);
    await assertNumbers(this.topic, RECORDS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.topic[Symbol.asyncDispose]();
  }
}

function message(n: number): string {
  return `{"key":"key-${n % 100}","n":${n},"text":"${"x".repeat(PADDING)}"}`;
}

requires("kafka", "kcat").test(
  "WebSocketConnection reads a plain socket no more while the broker's quota is used up, and loses nothing",
  async () => {
    await using stage = await Stage.open({ ack: "memory" });
    const { gateway } = stage;
    using client = await SocketClient.connect(gateway.port, PATH);
    const send = async () => {
      for (let n = 0; n < RECORDS; n++) await client.write(frameOf(message(n)));
    };
    const look = async () => {
      await gateway.program.waitUntil(
        async () =>
          await gateway.metric("weir_websocket_paused", { stream: "events" }) === 1 &&
          await stage.throttledSeconds() > 0,
        DEADLINE_MS,
        "the socket was paused while the broker throttled",
      );
      const held = await stage.held();
      assert(held * PADDING < SEGMENTS * SEGMENT_BYTES, `${held} records are held, which is more than fits`);
    };
    await Promise.all([send(), look()]);
    await stage.assertStored();
  },
);

requires("kafka", "kcat").test(
  "WebSocketSession gives credit at the pace of the broker's quota, and what it acks is stored",
  async () => {
    await using stage = await Stage.open({ ack: "delivered" });
    using client = await SocketClient.connect(stage.gateway.port, PATH, { protocol: "weir.v1" });
    const told = new Told(client);
    const startMs = performance.now();
    for (let n = 0; n < RECORDS; n++) {
      const text = message(n);
      await client.until(() => told.mayTake(text.length), `credit for message ${n}`, DEADLINE_MS);
      await client.send(text);
    }
    const seconds = (performance.now() - startMs) / 1000;
    const unstored = SEGMENTS * SEGMENT_BYTES + AHEAD_SECONDS * QUOTA_BYTES_PER_SECOND;
    const leastSeconds = (RECORDS * PADDING - unstored) / QUOTA_BYTES_PER_SECOND;
    console.log(
      `credit for all in ${seconds.toFixed(1)} s, by the quota ${leastSeconds.toFixed(1)} s at least`,
    );
    assert(seconds > leastSeconds, `credit for all in ${seconds} s`);
    assert(await stage.throttledSeconds() > 0, "the broker throttled");
    await client.until(() => told.acked === RECORDS, "all were acked", DEADLINE_MS);
    await assertNumbers(stage.topic, RECORDS);
  },
);

/** What a session told its client, and what the client has left of it. */
class Told {
  readonly #client: SocketClient;
  #read = 0;
  #credit = 0;
  #creditBytes = 0;
  #acked = 0;

  constructor(client: SocketClient) {
    this.#client = client;
  }

  /** Spends the credit for a message of `bytes`, if there is so much. */
  mayTake(bytes: number): boolean {
    this.#readOn();
    if (this.#credit < 1 || this.#creditBytes < bytes) return false;
    this.#credit--;
    this.#creditBytes -= bytes;
    return true;
  }

  /** Messages that are acked. */
  get acked(): number {
    this.#readOn();
    return this.#acked;
  }

  #readOn(): void {
    for (; this.#read < this.#client.texts.length; this.#read++) {
      const { credit = 0, creditBytes = 0, ack, reject } = JSON.parse(this.#client.texts[this.#read]);
      assert(reject === undefined, "every message is a record");
      this.#credit += credit;
      this.#creditBytes += creditBytes;
      this.#acked = ack ?? this.#acked;
    }
  }
}
