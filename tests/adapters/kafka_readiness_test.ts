/** What a gateway says of itself while the broker behind its acks is stopped or dead, and what becomes of its records. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { HealthReport } from "../../src/admin/health.ts";
import type { Ledger } from "../../src/admin/topology.ts";
import { KafkaBroker } from "../services/kafka.ts";
import type { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";
import { assertNumbers, delivered, postNumbers, startGateway } from "./kafka_gateway.ts";
import { KafkaTopic } from "./kafka_topic.ts";

const RECORDS = 20_000;
/** So many are stored before the broker is hurt. */
const STORED_BEFORE = 5_000;
const DOWN_AFTER_MS = 1000;
/** Brokers boot on two cores that other tests share. */
const DEADLINE_MS = 60_000;
/** A broker that was killed is let in again when its session is over; the defaults of 9 s and 2 s make that long. */
const SESSION = { "broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500" };

interface Harm {
  readonly what: string;
  readonly hurt: (broker: KafkaBroker) => Promise<void> | void;
  readonly mend: (broker: KafkaBroker) => Promise<void> | void;
  /** What went wrong, in words that a person can act on. */
  readonly cause: RegExp;
}

const HARMS: readonly Harm[] = [
  {
    what: "answers nothing",
    hurt: (broker) => broker.signal("SIGSTOP"),
    mend: (broker) => broker.signal("SIGCONT"),
    // Each for a moment, and the last for the rest of the time.
    cause:
      /did not answer within timeoutMs|no answer from broker|told nothing about topics: Request timed out/,
  },
  {
    what: "was killed",
    hurt: (broker) => broker.kill(),
    mend: (broker) => broker.restart(),
    cause: /ECONNREFUSED/,
  },
];

interface Readiness {
  readonly status: number;
  readonly report: HealthReport;
}

async function readyz(gateway: GatewayProcess): Promise<Readiness> {
  const response = await fetch(`${gateway.adminUrl}/readyz`);
  return { status: response.status, report: await response.json() };
}

/** `readyz` says that the sink is down because of `cause`, what was taken is held, and nobody is told that more is. */
async function assertDown(gateway: GatewayProcess, cause: RegExp): Promise<void> {
  let last = await readyz(gateway);
  await gateway.program.waitUntil(
    async () => {
      last = await readyz(gateway);
      return last.status === 503 && cause.test(last.report.reason ?? "");
    },
    DEADLINE_MS,
    `readyz told ${cause}`,
  );
  const part = (name: string) => last.report.parts.find((each) => each.part === name)!;
  assertEquals([part("sink/kafka").state, part("sink/kafka").ready], ["down", false]);
  assertMatch(part("sink/kafka").reason, cause);
  assertEquals([part("stream/events").state, part("stream/events").ready], ["blocked", false]);
  const { rows: [{ inFlight, deadLettered, lost }] } = await gateway.admin("/api/v1/ledger") as Ledger;
  assert(inFlight > 0, "what was taken is held");
  assertEquals([deadLettered, lost], [0, 0]);
  const refused = await fetch(`${gateway.url}/v1/streams/events`, { method: "POST", body: "{}" });
  assertEquals(refused.status, 503, await refused.text());
}

for (const { what, hurt, mend, cause } of HARMS) {
  requires("kafka", "kcat", "mvn").test(
    `readyz is 503 and names the kafka sink and the cause while its broker ${what}, and each record is stored once`,
    async () => {
      await using broker = await KafkaBroker.start({ settings: SESSION });
      await using topic = await KafkaTopic.create(broker.address, 4);
      await using gateway = await startGateway(topic, {
        requestTimeoutMs: 500,
        timeoutMs: DOWN_AFTER_MS,
        downAfterMs: DOWN_AFTER_MS,
        batch: { maxRecords: 200 },
        limit: { recordsPerSecond: 10_000, burstRecords: 200 },
      }, { ack: "delivered", deliverTimeoutMs: 600_000 });
      const outage = async () => {
        await delivered(gateway, STORED_BEFORE);
        await hurt(broker);
        try {
          await assertDown(gateway, cause);
        } finally {
          await mend(broker);
        }
        await gateway.waitReady(DEADLINE_MS);
      };
      await Promise.all([postNumbers(gateway, 0, RECORDS), outage()]);
      await delivered(gateway, RECORDS);
      await assertNumbers(topic, RECORDS);
    },
  );
}
