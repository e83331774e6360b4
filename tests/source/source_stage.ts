/** A gateway in this process that reads topics of one test's own, and a producer that writes them. @module */
import { Buffer } from "node:buffer";
import { type Acl, Admin, type Message, Producer } from "@platformatic/kafka";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { z } from "zod";
import { allAcked, createGateway, defineSink, type SinkDefinition, type WeirGateway } from "../../mod.ts";
import type { KafkaSourceSnapshot } from "../../src/monitor/view.ts";
import { sharedKafka } from "../services/kafka.ts";
import { LogLines } from "../support/log_lines.ts";

/** Only what hangs is to fail: groups form in seconds alone, and in many more on two cores that other tests share. */
const DEADLINE_MS = 120_000;

/** A record as a sink got it. */
export interface Got {
  readonly id: string;
  readonly key: string | null;
  readonly value: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly acceptedAtMs: number;
}

/** Part of a config. */
export type Part = Readonly<Record<string, unknown>>;

/** What a config has beside stream `events`, sink `out` and source `kafka`, or otherwise in them. */
export interface StageParts {
  /** Keys of source `kafka`. */
  readonly source?: Part;
  /** Keys of stream `events`. */
  readonly stream?: Part;
  readonly streams?: Part;
  readonly sinks?: Part;
  /** More sources, of the same brokers. */
  readonly sources?: Part;
  readonly buffers?: Part;
}

/** A message of a test: values and keys as text. */
export interface Sent {
  readonly topic?: string;
  readonly partition?: number;
  readonly key?: string;
  readonly value: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timestampMs?: number;
}

/** The stage. */
export class SourceStage implements AsyncDisposable {
  readonly address: string;
  /** A topic of the test; its name is that of the group too. */
  readonly topic: string;
  readonly admin: Admin;
  /** What sinks of type `got` stored, by name. */
  readonly got: Map<string, Got[]> = new Map();
  /** Of all gateways. */
  readonly log = new LogLines();
  readonly #stalled: Map<string, PromiseWithResolvers<void>> = new Map();
  readonly #producer: Producer;
  readonly #folder: string;
  readonly #gateways: WeirGateway[] = [];

  private constructor(address: string, folder: string) {
    this.address = address;
    this.topic = `weir-test-${crypto.randomUUID()}`;
    this.#folder = folder;
    const client = { clientId: "weir-tests", bootstrapBrokers: [address], retries: 100, retryDelay: 100 };
    this.admin = new Admin(client);
    this.#producer = new Producer({ ...client, idempotent: true });
  }

  /** Creates the topic with `partitions`; 0 creates none. */
  static async open(partitions: number, address?: string): Promise<SourceStage> {
    const stage = new SourceStage(
      address ?? await sharedKafka(),
      await Deno.makeTempDir({ prefix: "weir_source_" }),
    );
    if (partitions > 0) await stage.createTopic(stage.topic, partitions);
    return stage;
  }

  /** `settings` as in Kafka's topic configs. */
  async createTopic(
    topic: string,
    partitions: number,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await this.admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
    // The broker answers when the topic is decided on, and knows of it itself a little later.
    await this.until(() => this.#isKnown(topic), "the broker knows the topic");
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.admin.deleteTopics({ topics: [topic] });
    // Until the broker has heard of it too, it takes records of the topic, which are gone then.
    await this.until(async () => !await this.#isKnown(topic), "the broker has forgotten the topic");
  }

  /** Adds a rule, and waits until the broker keeps to it: it answers when the rule is decided on. */
  async createAcl(rule: Acl): Promise<void> {
    await this.admin.createAcls({ creations: [rule] });
    const isKept = async () => (await this.admin.describeAcls({ filter: rule })).length > 0;
    await this.until(isKept, "the broker keeps to the rule");
  }

  /** What stands before the partition in the ids of the topic's records: its name, and its id as Kafka's tools print it. */
  async idPrefix(): Promise<string> {
    const { topics } = await this.admin.metadata({ topics: [this.topic], forceUpdate: true });
    const hex = topics.get(this.topic)!.id.replaceAll("-", "");
    const id = Uint8Array.fromHex(hex).toBase64({ alphabet: "base64url", omitPadding: true });
    return `${this.topic}-${id}`;
  }

  /** What gateways have logged with `message`. */
  logged(message: string): unknown[] {
    return this.log.lines.filter((line) => line.message === message).map(({ fields }) => fields);
  }

  /** Folder of data and dead letters. */
  get folder(): string {
    return this.#folder;
  }

  /** Starts a gateway with stream `events`, sink `out` of type `got`, source `kafka`. */
  async gateway(parts: StageParts = {}): Promise<WeirGateway> {
    const gateway = await createGateway(this.config(parts), {
      sinks: [this.#sink],
      log: this.log,
    });
    this.#gateways.push(gateway);
    await gateway.start();
    return gateway;
  }

  /** The config of such a gateway. */
  config(
    { source = {}, stream = {}, streams = {}, sinks = {}, sources = {}, buffers = {} }: StageParts,
  ): Part {
    const reading = { type: "kafka", brokers: [this.address], commitMs: 100 };
    const others = Object.entries(sources).map(([name, other]) => [name, { ...reading, ...other as Part }]);
    return {
      gateway: { dataDir: this.#folder },
      listen: { port: 0 },
      admin: { port: 0 },
      buffers,
      streams: { events: { sinks: ["out"], ...stream }, ...streams },
      sinks: { out: { type: "got" }, ...sinks },
      sources: {
        kafka: { ...reading, topics: [this.topic], groupId: this.topic, stream: "events", ...source },
        ...Object.fromEntries(others),
      },
    };
  }

  async send(messages: readonly Sent[]): Promise<void> {
    // A share of a partition goes as one batch, which a broker takes up to 1 MiB of.
    for (let at = 0; at < messages.length; at += 2000) {
      await this.#producer.send({
        messages: messages.slice(at, at + 2000).map((sent) => this.message(sent)),
      });
    }
  }

  /** One for a producer of the test's own. */
  message(sent: Sent): Message<Buffer, Buffer, Buffer, Buffer> {
    const headers = Object.entries(sent.headers ?? {});
    return {
      topic: sent.topic ?? this.topic,
      partition: sent.partition ?? 0,
      key: sent.key === undefined ? undefined : Buffer.from(sent.key),
      // The library sends a tombstone for null, though its type does not say so.
      value: (sent.value === null ? null : Buffer.from(sent.value)) as Buffer,
      headers: new Map(headers.map(([name, value]) => [Buffer.from(name), Buffer.from(value)])),
      timestamp: sent.timestampMs === undefined ? undefined : BigInt(sent.timestampMs),
    } as Message<Buffer, Buffer, Buffer, Buffer>;
  }

  /** Values that `sink` stored. */
  values(sink = "out"): string[] {
    return (this.got.get(sink) ?? []).map(({ value }) => value);
  }

  /** From now on writes to `sink` wait. */
  stall(sink: string): void {
    this.#stalled.set(sink, Promise.withResolvers());
  }

  /** Writes to `sink` go on. */
  release(sink: string): void {
    this.#stalled.get(sink)?.resolve();
    this.#stalled.delete(sink);
  }

  /** Offsets that `group` has, by partition of a topic of the same name, or of `topic`; -1 where it has none. */
  async committed(partitions: readonly number[], group = this.topic, topic = group): Promise<number[]> {
    const [found] = await this.admin.listConsumerGroupOffsets({
      groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: [...partitions] }] }],
    });
    const own = found.topics.find(({ name }) => name === topic)?.partitions ?? [];
    return partitions.map((partition) =>
      Number(own.find(({ partitionIndex }) => partitionIndex === partition)?.committedOffset ?? -1n)
    );
  }

  /** What the broker says of the group: `STABLE` with members, `EMPTY` without. */
  async groupState(): Promise<string | undefined> {
    return (await this.admin.listGroups({ types: ["consumer"] })).get(this.topic)?.state.toUpperCase();
  }

  /** Resolves when `done` holds. */
  async until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const look = async () => {
      while (!await done()) await delay(20);
    };
    try {
      await deadline(look(), DEADLINE_MS);
    } catch (error) {
      throw new Error(`not within ${DEADLINE_MS} ms: ${what}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sink of [...this.#stalled.keys()]) this.release(sink);
    await Promise.all(this.#gateways.map((gateway) => gateway.stop()));
    await this.#producer.close();
    await this.admin.close();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #isKnown(topic: string): Promise<boolean> {
    return (await this.admin.listTopics()).includes(topic);
  }

  get #sink(): SinkDefinition<{ readonly maxRecords: number }> {
    const decoder = new TextDecoder();
    return defineSink({
      type: "got",
      config: z.strictObject({ maxRecords: z.int().default(1000) }),
      hints: ({ maxRecords }) => ({
        maxRecords,
        maxBytes: 1_048_576,
        lingerMs: 0,
        framingBytes: 0,
        writesInFlight: 1,
      }),
      open: (_options, { sink }) => ({
        write: async (batch, signal) => {
          const aborted = new Promise<never>((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason), { once: true })
          );
          await Promise.race([this.#stalled.get(sink)?.promise, aborted]);
          const got = this.got.get(sink) ?? [];
          this.got.set(sink, got);
          for (let i = 0; i < batch.count; i++) {
            const key = batch.key(i);
            got.push({
              id: batch.id(i),
              key: key === null ? null : decoder.decode(key),
              value: decoder.decode(batch.value(i)),
              headers: batch.headers(i).map(([name, value]) => [name, value] as const),
              acceptedAtMs: batch.acceptedAtMs(i),
            });
          }
          return allAcked(batch);
        },
        check() {},
        close() {},
      }),
    });
  }
}

/** The gateway's one source, as its admin API tells it. */
export async function sourceOf(gateway: WeirGateway): Promise<KafkaSourceSnapshot> {
  const answer = await fetch(`http://127.0.0.1:${gateway.adminPort}/api/v1/topology`);
  return (await answer.json()).sources[0];
}
