/** A producer quota of the broker reaches HTTP clients as 429, and is kept to. @module */
import { assert } from "@std/assert";
import { KafkaAdmin } from "../services/kafka_admin.ts";
import { sharedKafka } from "../services/kafka.ts";
import { requires } from "../support/requirements.ts";
import { assertNumbers, delivered, postNumbers, startGateway } from "./kafka_gateway.ts";
import { KafkaTopic } from "./kafka_topic.ts";

const QUOTA_BYTES_PER_SECOND = 2_000_000;
const RECORDS = 26_000;
const PADDING = 1000;

requires("kafka", "kcat").test(
  "kafka sink passes the broker's throttle on: clients get 429 with Retry-After, and the quota is kept",
  async () => {
    const address = await sharedKafka();
    const clientId = `weir-${crypto.randomUUID()}`;
    await using admin = new KafkaAdmin(address);
    await admin.limitProducer(clientId, QUOTA_BYTES_PER_SECOND);
    // The broker's own clock tells when it stored what.
    await using topic = await KafkaTopic.create(address, 4, { "message.timestamp.type": "LogAppendTime" });
    await using gateway = await startGateway(topic, { clientId }, { maxSegments: 128 });
    const posted = await postNumbers(gateway, 0, RECORDS, { padding: PADDING });
    await delivered(gateway, RECORDS);
    await assertNumbers(topic, RECORDS);

    assert(posted.refused > 0, "clients were told to wait");
    assert(posted.longestRetryAfterSeconds <= 60, `for ${posted.longestRetryAfterSeconds} s at most`);
    const throttledSeconds = await gateway.metric("weir_sink_throttle_seconds_total", { sink: "kafka" });
    assert(throttledSeconds > 1, `the metric tells ${throttledSeconds} s of throttle`);
    const rate = storedRate(
      (await topic.records()).map(({ timestampMs, bytes }) => [timestampMs, bytes.length]),
    );
    console.log(
      `stored at ${(rate / QUOTA_BYTES_PER_SECOND).toFixed(3)} of the quota; ${posted.refused} refused`,
    );
    assert(rate < 1.1 * QUOTA_BYTES_PER_SECOND, `stored ${Math.round(rate)} bytes a second`);
  },
);

/** Bytes a second behind the first two seconds, which are the quota's window and may be a burst. */
function storedRate(stored: [number, number][]): number {
  const times = stored.map(([ms]) => ms);
  const startMs = Math.min(...times) + 2000;
  const endMs = Math.max(...times);
  const bytes = stored.filter(([ms]) => ms > startMs).reduce((sum, [, length]) => sum + length, 0);
  return bytes / (endMs - startMs) * 1000;
}
