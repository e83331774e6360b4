/** Passwords, certificates and rights, right and wrong ones, on a real broker; what is wrong is told by its cause. @module */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { KafkaAdmin } from "../services/kafka_admin.ts";
import { KafkaBroker } from "../services/kafka.ts";
import { consume } from "../services/kcat.ts";
import { Certificates } from "../support/certificates.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, reasonsOf } from "../support/written.ts";
import { openKafka } from "./kafka_sink.ts";

const PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required";
const SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required";

/** A broker that knows alice and bob, by password on SASL, by TLS besides on SECURE, and by certificate on MUTUAL. */
async function startSecured(certificates: Certificates): Promise<KafkaBroker> {
  await certificates.authority("ca");
  await certificates.authority("other-ca");
  await certificates.signed("server", "ca");
  await certificates.signed("client", "ca");
  await Deno.writeTextFile(
    certificates.path("keystore.pem"),
    await Deno.readTextFile(certificates.path("server.key")) +
      await Deno.readTextFile(certificates.path("server.pem")),
  );
  const tls = {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": certificates.path("keystore.pem"),
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": certificates.path("ca.pem"),
  };
  const sasl = {
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
    "plain.sasl.jaas.config": `${PLAIN} user_alice="secret" user_bob="secret";`,
    "scram-sha-256.sasl.jaas.config": `${SCRAM};`,
  };
  return await KafkaBroker.start({
    settings: {
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS;User:alice;User:CN=client",
    },
    listeners: [
      { name: "SASL", protocol: "SASL_PLAINTEXT", settings: sasl },
      { name: "SECURE", protocol: "SASL_SSL", settings: { ...sasl, ...tls } },
      { name: "MUTUAL", protocol: "SSL", settings: { ...tls, "ssl.client.auth": "required" } },
    ],
    scramUsers: { alice: "secret" },
  });
}

requires("kafka", "kcat", "mvn", "openssl").test(
  "kafka sink shows passwords and certificates, and tells which of them is wrong, or which right is missing",
  async (t) => {
    await using certificates = await Certificates.create();
    await using broker = await startSecured(certificates);
    const topic = "events";
    {
      await using admin = new KafkaAdmin(broker.address);
      await admin.createTopic(topic);
    }
    const tls = { ca: certificates.path("ca.pem") };
    const alice = { username: "alice", password: "secret" };
    const listenerOptions = (listener: string, options: Readonly<Record<string, unknown>>) => ({
      brokers: [broker.addressOf(listener)],
      topic,
      ...options,
    });
    const good: [string, string, Readonly<Record<string, unknown>>][] = [
      ["PLAIN", "SASL", { sasl: { mechanism: "plain", ...alice } }],
      ["SCRAM", "SASL", { sasl: { mechanism: "scram-sha-256", ...alice } }],
      ["PLAIN over TLS", "SECURE", { tls, sasl: { mechanism: "plain", ...alice } }],
      ["a client certificate", "MUTUAL", {
        tls: { ...tls, cert: certificates.path("client.pem"), key: certificates.path("client.key") },
      }],
    ];
    for (const [name, listener, options] of good) {
      await t.step(`stores with ${name}`, async () => {
        await using sink = await openKafka(listenerOptions(listener, options));
        assertEquals(outcomesOf(await sink.write([name])), [0]);
        await sink.check();
      });
    }
    const stored = (await consume(broker.address, topic)).map(({ value }) => value);
    assertEquals(stored, good.map(([name]) => name));

    const wrong = { username: "alice", password: "guess" };
    const bad: [string, string, Readonly<Record<string, unknown>>, string][] = [
      ["a wrong password", "SASL", { sasl: { mechanism: "plain", ...wrong } }, "authentication failed"],
      [
        "a wrong SCRAM password",
        "SASL",
        { sasl: { mechanism: "scram-sha-256", ...wrong } },
        "authentication failed",
      ],
      [
        "a mechanism that is off",
        "SASL",
        { sasl: { mechanism: "scram-sha-512", ...alice } },
        "SASL mechanism",
      ],
      ["another authority", "SECURE", {
        tls: { ca: certificates.path("other-ca.pem") },
        sasl: { mechanism: "plain", ...alice },
      }, "certificate"],
    ];
    for (const [name, listener, options, reason] of bad) {
      await t.step(`does not open with ${name}`, async () => {
        const error = await assertRejects(() => openKafka(listenerOptions(listener, options)), Error);
        assertStringIncludes(error.message, reason);
      });
    }

    await t.step("keeps the records of a user without rights, and tells which are missing", async () => {
      const bob = { sasl: { mechanism: "plain", username: "bob", password: "secret" } };
      await using sink = await openKafka(listenerOptions("SASL", bob));
      const result = await sink.write(["1"]);
      assertEquals(outcomesOf(result), [1]);
      assertStringIncludes(reasonsOf(result)[0], "TOPIC_AUTHORIZATION_FAILED (29)");
      await assertRejects(() => sink.check(), Error, "TOPIC_AUTHORIZATION_FAILED (29)");
    });

    await t.step("readyz tells the cause", async () => {
      await using gateway = await GatewayProcess.start({
        streams: { events: { sinks: ["kafka"] } },
        sinks: {
          kafka: {
            type: "kafka",
            downAfterMs: 200,
            ...listenerOptions("SASL", { sasl: { mechanism: "plain", ...wrong } }),
          },
        },
      }, { waitReady: false });
      const readyz = async (): Promise<string> => {
        try {
          return await (await fetch(`${gateway.adminUrl}/readyz`)).text();
        } catch (error) {
          if (error instanceof TypeError) return "";
          throw error;
        }
      };
      await gateway.program.waitUntil(
        async () => (await readyz()).includes("authentication failed"),
        60_000,
        "readyz told the cause",
      );
    });

    const source = (listener: string, options: Readonly<Record<string, unknown>>) => ({
      streams: { events: { sinks: ["copy"] } },
      sinks: { copy: { type: "file", path: "copy.ndjson" } },
      sources: {
        kafka: {
          type: "kafka",
          brokers: [broker.addressOf(listener)],
          topics: [topic],
          groupId: `copy-${listener.toLowerCase()}`,
          stream: "events",
          ...options,
        },
      },
    });
    const tellsOfSource = async (gateway: GatewayProcess, words: string) => {
      const parts = async () => await (await fetch(`${gateway.adminUrl}/readyz`)).text();
      await gateway.program.waitUntil(
        async () => (await parts()).includes(words),
        60_000,
        `it tells ${words}`,
      );
    };

    await t.step("a source reads with a password over TLS from an address that is no name", async () => {
      await using gateway = await GatewayProcess.start(
        source("SECURE", { tls, sasl: { mechanism: "scram-sha-256", ...alice } }),
      );
      await tellsOfSource(gateway, "reads 1 partition");
    });

    await t.step("a source tells a wrong password and a file that is not there", async () => {
      await using guessing = await GatewayProcess.start(
        source("SASL", { sasl: { mechanism: "plain", ...wrong } }),
      );
      await tellsOfSource(guessing, "authentication failed");
      await using without = await GatewayProcess.start(source("SECURE", { tls: { ca: "./nowhere.pem" } }));
      await tellsOfSource(without, "cannot read tls.ca");
    });
  },
);
