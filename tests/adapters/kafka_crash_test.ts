/** A broker that dies in the middle of writes, and one that stands still for longer than a request may take. @module */
import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import { KafkaBroker } from "../services/kafka.ts";
import { requires } from "../support/requirements.ts";
import { assertNumbers, delivered, postNumbers, startGateway } from "./kafka_gateway.ts";
import { KafkaTopic } from "./kafka_topic.ts";

const RECORDS = 30_000;
/** So many are stored before the broker is hurt. */
const STORED_BEFORE = 5_000;
const REQUEST_TIMEOUT_MS = 500;
/** How often the broker stands still. */
const STALLS = 3;

requires("kafka", "kcat", "mvn").test(
  "kafka sink loses nothing and stores nothing twice when the broker is killed, and is back after 2 s",
  async () => {
    await using broker = await KafkaBroker.start();
    // Its own administrator would be cut off with the broker.
    await using topic = await KafkaTopic.create(broker.address, 4);
    await using gateway = await startGateway(topic, { limit: { recordsPerSecond: 10_000 } });
    const posted = postNumbers(gateway, 0, RECORDS);
    await delivered(gateway, STORED_BEFORE);
    await broker.kill();
    // How long it is away is what is tested.
    await delay(2000);
    await broker.restart();
    await posted;
    await delivered(gateway, RECORDS);
    await assertNumbers(topic, RECORDS);
  },
);

requires("kafka", "kcat", "mvn").test(
  "kafka sink stores nothing twice when the broker stands still for longer than a request may take",
  async () => {
    await using broker = await KafkaBroker.start();
    await using topic = await KafkaTopic.create(broker.address, 4);
    await using gateway = await startGateway(topic, {
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      // The lane gives up waiting before the broker is back; the sink must not.
      timeoutMs: 1000,
      batch: { maxRecords: 200 },
      limit: { recordsPerSecond: 10_000, burstRecords: 200 },
    });
    const posted = postNumbers(gateway, 0, RECORDS);
    for (let stall = 0; stall < STALLS; stall++) {
      await delivered(gateway, STORED_BEFORE * (stall + 1));
      broker.signal("SIGSTOP");
      // What is timed here is the broker's own silence, which only the machine's clock can make.
      await delay(4 * REQUEST_TIMEOUT_MS);
      broker.signal("SIGCONT");
    }
    await posted;
    await delivered(gateway, RECORDS);
    await assertNumbers(topic, RECORDS);
    const log = gateway.program.stdout + gateway.program.stderr;
    assert(log.includes("may be stored or not"), "a batch was on its way when the broker stood still");
  },
);
