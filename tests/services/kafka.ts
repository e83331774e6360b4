/**
 * Kafka from its jars: one node in KRaft mode, broker and controller together. Tests that need nothing special of it
 * share {@linkcode sharedKafka}, each with topics of its own.
 *
 * @module
 */
import { join } from "node:path";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";
import { jarsOf } from "./maven.ts";

/** A JVM boots in 4 s alone; test files share two cores with it. */
const READY_DEADLINE_MS = 90_000;
const CLUSTER_ID = "weir-test-cluster-0000";
const LOG_SETTINGS = new URL("./kafka/log4j2.properties", import.meta.url).pathname;
const JVM = ["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", `-Dlog4j2.configurationFile=${LOG_SETTINGS}`];

/** A listener of its own kind, beside the plain one over which tests administer the broker. */
export interface KafkaListener {
  /** Name, in capitals. */
  readonly name: string;
  /** How it speaks. */
  readonly protocol: "PLAINTEXT" | "SASL_PLAINTEXT" | "SSL" | "SASL_SSL";
  /** Port that clients are told to use, where something stands in between. */
  readonly advertisedPort?: number;
  /** Further settings, without the prefix `listener.name.NAME.`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** How a broker is started. */
export interface KafkaOptions {
  /** Settings as in server.properties. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Further listeners. */
  readonly listeners?: readonly KafkaListener[];
  /** SCRAM-SHA-256 users and their passwords. */
  readonly scramUsers?: Readonly<Record<string, string>>;
}

/** A broker of a cluster of its own. */
export class KafkaBroker implements AsyncDisposable {
  /** `127.0.0.1:PORT` of the plain listener; the same after a restart. */
  readonly address: string;
  readonly #home: string;
  readonly #jars: string;
  readonly #ports: ReadonlyMap<string, number>;
  #program: Program | null = null;

  private constructor(home: string, jars: string, ports: ReadonlyMap<string, number>) {
    this.#home = home;
    this.#jars = jars;
    this.#ports = ports;
    this.address = this.addressOf("PLAINTEXT");
  }

  /** Starts one on free ports and waits until it is up. */
  static async start(options: KafkaOptions = {}): Promise<KafkaBroker> {
    const jars = await jarsOf("kafka");
    const home = await Deno.makeTempDir({ prefix: "weir_kafka_" });
    const names = ["PLAINTEXT", "CONTROLLER", ...(options.listeners ?? []).map(({ name }) => name)];
    const broker = new KafkaBroker(home, jars, new Map(names.map((name) => [name, freePort()])));
    try {
      await broker.#format(options);
      await broker.restart();
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      throw error;
    }
    return broker;
  }

  /** `127.0.0.1:PORT` of a listener. */
  addressOf(listener: string): string {
    return `127.0.0.1:${this.#ports.get(listener)}`;
  }

  /** Sends `signal` to the JVM: SIGKILL as a crash, SIGSTOP and SIGCONT as a stall. */
  signal(signal: Deno.Signal): void {
    this.#program?.signal(signal);
  }

  /** Kills the process, as a crash does, and waits until it is gone. */
  async kill(): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
    this.#program = null;
  }

  /** Starts it (again) on its data and ports, and waits until it is up. */
  async restart(): Promise<void> {
    await this.kill();
    const program = new Program("java", {
      args: [...JVM, "-cp", `${this.#jars}/*`, "kafka.Kafka", this.#properties],
    });
    this.#program = program;
    await program.waitUntil(
      () => program.stdout.includes("Kafka Server started"),
      READY_DEADLINE_MS,
      `Kafka on ${this.address} was up`,
    );
  }

  /** Kills it and removes its data without waiting, for handlers that cannot. */
  abandon(): void {
    this.signal("SIGKILL");
    Deno.removeSync(this.#home, { recursive: true });
  }

  /** Kills it and removes its data. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#home, { recursive: true });
  }

  get #properties(): string {
    return join(this.#home, "server.properties");
  }

  async #format({ settings, listeners = [], scramUsers = {} }: KafkaOptions): Promise<void> {
    const all = { ...this.#ownSettings(listeners), ...settings };
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`);
    await Deno.writeTextFile(this.#properties, lines.join(""));
    const users = Object.entries(scramUsers).flatMap(([name, password]) => [
      "--add-scram",
      `SCRAM-SHA-256=[name=${name},password=${password}]`,
    ]);
    const args = ["format", "-t", CLUSTER_ID, "-c", this.#properties, ...users];
    await using format = new Program("java", {
      args: [...JVM, "-cp", `${this.#jars}/*`, "kafka.tools.StorageTool", ...args],
    });
    const { success } = await format.exit(READY_DEADLINE_MS);
    if (!success) throw new Error(format.describe("cannot format the broker's storage"));
  }

  #ownSettings(listeners: readonly KafkaListener[]): Record<string, string> {
    const protocols = ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"];
    const settings: Record<string, string> = {};
    const advertised = [`PLAINTEXT://${this.address}`];
    for (const { name, protocol, advertisedPort, settings: own = {} } of listeners) {
      advertised.push(`${name}://127.0.0.1:${advertisedPort ?? this.#ports.get(name)}`);
      protocols.push(`${name}:${protocol}`);
      const prefix = `listener.name.${name.toLowerCase()}.`;
      for (const [key, value] of Object.entries(own)) settings[prefix + key] = value;
    }
    return {
      "process.roles": "broker,controller",
      "node.id": "1",
      "controller.quorum.voters": `1@${this.addressOf("CONTROLLER")}`,
      "controller.listener.names": "CONTROLLER",
      "listeners": [...this.#ports].map(([name, port]) => `${name}://127.0.0.1:${port}`).join(","),
      "advertised.listeners": advertised.join(","),
      "listener.security.protocol.map": protocols.join(","),
      "inter.broker.listener.name": "PLAINTEXT",
      "log.dirs": join(this.#home, "log"),
      "auto.create.topics.enable": "false",
      "offsets.topic.replication.factor": "1",
      "offsets.topic.num.partitions": "4",
      "transaction.state.log.replication.factor": "1",
      "transaction.state.log.min.isr": "1",
      "transaction.state.log.num.partitions": "4",
      "share.coordinator.state.topic.replication.factor": "1",
      "share.coordinator.state.topic.min.isr": "1",
      "group.initial.rebalance.delay.ms": "0",
      // With the default of 11 windows a quota lets ten seconds of burst pass.
      "quota.window.num": "2",
      ...settings,
    };
  }
}

let shared: Promise<string> | null = null;

/**
 * The address of a broker that is there for tests that take topics of their own: `WEIR_TEST_KAFKA` (a whole run of the
 * tests sets it), or one that lives as long as this test file.
 */
export function sharedKafka(): Promise<string> {
  return shared ??= openShared();
}

async function openShared(): Promise<string> {
  const given = Deno.env.get("WEIR_TEST_KAFKA");
  if (given !== undefined) return given;
  const broker = await KafkaBroker.start();
  globalThis.addEventListener("unload", () => broker.abandon());
  return broker.address;
}
