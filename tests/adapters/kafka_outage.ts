/** A broker that is killed, or stands still, under the load of a gateway; for the tests, and longer for the soak. @module */
import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import { KafkaBroker } from "../services/kafka.ts";
import type { GatewayProcess, RawConfig } from "../support/gateway_process.ts";
import { assertNumbers, delivered, type Posted, postNumbers, startGateway } from "./kafka_gateway.ts";
import { KafkaTopic } from "./kafka_topic.ts";

/** So many are stored before the broker is hurt, each time. */
const STORED_BETWEEN = 5_000;
const RECORDS_PER_SECOND = 10_000;
const REQUEST_TIMEOUT_MS = 500;
/** The limit lets a write start every second at least. */
const WRITE_DEADLINE_MS = 30_000;
/** A broker that was killed is let in again when its session is over; the defaults of 9 s and 2 s make that long. */
const SESSION = { "broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500" };

/**
 * Kills the broker with SIGKILL under load, `kills` times, and brings it back after `awayMs`. Rejects where a record is
 * missing, there twice or out of order. `sink` are further options of the sink.
 */
export async function killBroker(kills: number, awayMs: number, sink: RawConfig = {}): Promise<void> {
  const unhurt = STORED_BETWEEN * 5;
  const records = unhurt + STORED_BETWEEN * kills;
  await using broker = await KafkaBroker.start({ settings: SESSION });
  await using topic = await KafkaTopic.create(broker.address, 4);
  await using gateway = await startGateway(topic, {
    limit: { recordsPerSecond: RECORDS_PER_SECOND },
    ...sink,
  });
  let posted = postNumbers(gateway, 0, unhurt);
  for (let kill = 0; kill < kills; kill++) {
    await delivered(gateway, STORED_BETWEEN * (kill + 1));
    broker.signal("SIGSTOP");
    posted = postMore(posted, gateway, unhurt + STORED_BETWEEN * kill);
    await killDuringWrite(broker, gateway);
    // How long it is away is what is tested.
    await delay(awayMs);
    await broker.restart();
  }
  await posted;
  await delivered(gateway, records);
  await assertNumbers(topic, records);
  // A transaction that was not answered goes back to the lane without a word.
  if (sink.transactional !== true) assertWasUnknown(gateway);
}

/**
 * Posts what comes behind number `from` when all before it is posted. On a busy machine the gateway may have stored all that
 * was posted before the broker is hurt: so each time some is left for then.
 */
async function postMore(before: Promise<unknown>, gateway: GatewayProcess, from: number): Promise<Posted> {
  await before;
  return await postNumbers(gateway, from, from + STORED_BETWEEN);
}

/** The broker stands still and answers nothing any more: the write that waits for it is in flight at the kill. */
async function killDuringWrite(broker: KafkaBroker, gateway: GatewayProcess): Promise<void> {
  const inFlight = () => gateway.metric("weir_sink_inflight_batches", { sink: "kafka" });
  try {
    await gateway.program.waitUntil(
      async () => await inFlight() > 0,
      WRITE_DEADLINE_MS,
      "a write was in flight when the broker was killed",
    );
  } finally {
    await broker.kill();
  }
}

/** Stops the broker `stalls` times for longer than a request may take. Rejects as `killBroker` does. */
export async function stallBroker(stalls: number): Promise<void> {
  const unhurt = STORED_BETWEEN * 3;
  const records = unhurt + STORED_BETWEEN * stalls;
  await using broker = await KafkaBroker.start();
  await using topic = await KafkaTopic.create(broker.address, 4);
  await using gateway = await startGateway(topic, {
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    // The lane gives up waiting before the broker is back; the sink must not.
    timeoutMs: 1000,
    batch: { maxRecords: 200 },
    limit: { recordsPerSecond: RECORDS_PER_SECOND, burstRecords: 200 },
  });
  let posted = postNumbers(gateway, 0, unhurt);
  for (let stall = 0; stall < stalls; stall++) {
    await delivered(gateway, STORED_BETWEEN * (stall + 1));
    broker.signal("SIGSTOP");
    posted = postMore(posted, gateway, unhurt + STORED_BETWEEN * stall);
    // What is timed here is the broker's own silence, which only the machine's clock can make.
    await delay(4 * REQUEST_TIMEOUT_MS);
    broker.signal("SIGCONT");
  }
  await posted;
  await delivered(gateway, records);
  await assertNumbers(topic, records);
  assertWasUnknown(gateway);
}

function assertWasUnknown(gateway: GatewayProcess): void {
  const log = gateway.program.stdout + gateway.program.stderr;
  assert(log.includes("may be stored or not"), "a batch was on its way when the broker was hurt");
}
