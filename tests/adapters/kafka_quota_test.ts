/** A producer quota of the broker reaches HTTP clients as 429, is kept to, and is made use of. @module */
import { assert } from "@std/assert";
import { KafkaAdmin } from "../services/kafka_admin.ts";
import { sharedKafka } from "../services/kafka.ts";
import { requires } from "../support/requirements.ts";
import { assertNumbers, delivered, postNumbers, startGateway } from "./kafka_gateway.ts";
import { KafkaTopic } from "./kafka_topic.ts";

const QUOTA_BYTES_PER_SECOND = 2_000_000;
const RECORDS = 38_000;
const PADDING = 1000;
/** Of a record as it is sent, beside key and value: lengths, differences of offset and time, its share of a batch's head. */
const FRAMING_BYTES = 12;
/** 0.3 % of what the quota lets through while the rate is measured. */
const BATCH_BYTES = 65_536;
/** Of 32 KiB: 8 s at the quota's rate, so that the sink has something to send while all clients stay away. */
const SEGMENTS = 512;
/** A broker of two windows of 1 s gives the second one in advance; this long after the first record it has it back. */
const WARM_UP_MS = 3000;
/** Then the first of the senders may be done, and the sink have nothing to send. */
const MEASURED_SHARE = 0.8;
/**
 * A machine that is busy with other tests may not bring as much as the quota lets through; after a second in which it
 * brought nothing the broker lets more through; and while it runs nothing, answers are late.
 */
const TRIES = 3;
/** All of 20 senders' bodies take ten seconds then, of which 1 MiB is in memory: who waits for the broker waits long. */
const LOW_QUOTA_BYTES_PER_SECOND = 500_000;
const FEW_SEGMENTS = 32;
const MAX_WAIT_MS = 250;
/** For a body to arrive and to be read, on two cores that other tests share. */
const ANSWER_MARGIN_MS = 3000;

requires("kafka", "kcat").test(
  "kafka sink passes the broker's throttle on: clients get 429 with Retry-After, and the stored rate is the quota's",
  async () => {
    const address = await sharedKafka();
    const isQuota = (share: number) => share >= 0.95 && share < 1.05;
    let share = 0;
    for (let tries = 0; !isQuota(share) && tries < TRIES; tries++) share = await storedShare(address);
    assert(isQuota(share), `stored at ${share.toFixed(3)} of the quota`);
  },
);

/** Posts under a quota, and holds what clients were told to it; resolves to which share of the quota was stored. */
async function storedShare(address: string): Promise<number> {
  const clientId = `weir-${crypto.randomUUID()}`;
  await using admin = new KafkaAdmin(address);
  await admin.limitProducer(clientId, QUOTA_BYTES_PER_SECOND);
  // The broker's own clock tells when it stored what.
  await using topic = await KafkaTopic.create(address, 4, { "message.timestamp.type": "LogAppendTime" });
  await using gateway = await startGateway(
    topic,
    { clientId, batch: { maxBytes: BATCH_BYTES } },
    { maxSegments: SEGMENTS },
    { maxPerLane: SEGMENTS },
  );
  const posted = await postNumbers(gateway, 0, RECORDS, { padding: PADDING, senders: 10 });
  await delivered(gateway, RECORDS);
  await assertNumbers(topic, RECORDS);

  assert(posted.refused > 0, "clients were told to wait");
  assert(posted.longestRetryAfterSeconds <= 60, `for ${posted.longestRetryAfterSeconds} s at most`);
  const throttledSeconds = await gateway.metric("weir_sink_throttle_seconds_total", { sink: "kafka" });
  assert(throttledSeconds > 1, `the metric tells ${throttledSeconds} s of throttle`);
  const stored = (await topic.records()).map(({ timestampMs, key, bytes }) =>
    [timestampMs, FRAMING_BYTES + (key?.length ?? 0) + bytes.length] as const
  );
  const share = storedRate(stored) / QUOTA_BYTES_PER_SECOND;
  console.log(`stored at ${share.toFixed(3)} of the quota; ${posted.refused} refused`);
  return share;
}

requires("kafka", "kcat").test(
  "no request waits longer than maxWaitMs for room while the broker's quota holds the kafka sink back",
  async () => {
    const address = await sharedKafka();
    let longestMs = Infinity;
    for (let tries = 0; longestMs >= MAX_WAIT_MS + ANSWER_MARGIN_MS && tries < TRIES; tries++) {
      longestMs = await longestAnswerMs(address);
    }
    assert(longestMs < MAX_WAIT_MS + ANSWER_MARGIN_MS, `a request waited for ${longestMs} ms`);
  },
);

/** Posts under a low quota; resolves to how long the slowest answer took. */
async function longestAnswerMs(address: string): Promise<number> {
  const clientId = `weir-${crypto.randomUUID()}`;
  await using admin = new KafkaAdmin(address);
  await admin.limitProducer(clientId, LOW_QUOTA_BYTES_PER_SECOND);
  await using topic = await KafkaTopic.create(address, 4);
  await using gateway = await startGateway(
    topic,
    { clientId, batch: { maxBytes: BATCH_BYTES } },
    { maxSegments: FEW_SEGMENTS, maxRecordBytes: 4000, maxWaitMs: MAX_WAIT_MS },
  );
  const posted = await postNumbers(gateway, 0, 20_000, { senders: 20 });
  await delivered(gateway, 20_000);
  await assertNumbers(topic, 20_000);
  const longestMs = Math.round(posted.longestAnswerMs);
  console.log(`${posted.refused} refused, none after more than ${longestMs} ms`);
  assert(posted.refused > 0, "clients were told to wait");
  return longestMs;
}

/**
 * Bytes a second between two moments at which least is stored beyond the quota: one in the first third of the time that
 * is measured, and one in the last. There the broker has just made up for a burst. Between any other two it may be a
 * second's worth ahead at one end and not at the other, which is more than what is asked of the rate.
 */
function storedRate(stored: readonly (readonly [ms: number, bytes: number])[]): number {
  const inTime = stored.toSorted(([a], [b]) => a - b);
  const moments: Moment[] = [];
  let storedBytes = 0;
  for (const [ms, bytes] of inTime) {
    if (ms !== moments.at(-1)?.ms) moments.push({ ms, storedBytes });
    storedBytes += bytes;
  }
  const startMs = inTime[0][0] + WARM_UP_MS;
  const endMs = inTime[Math.floor(inTime.length * MEASURED_SHARE)][0];
  assert(endMs - startMs > 2 * WARM_UP_MS, "most is stored behind the warm-up");
  const thirdMs = (endMs - startMs) / 3;
  const first = leastAhead(moments.filter(({ ms }) => ms >= startMs && ms <= startMs + thirdMs));
  const last = leastAhead(moments.filter(({ ms }) => ms >= endMs - thirdMs && ms <= endMs));
  return (last.storedBytes - first.storedBytes) / (last.ms - first.ms) * 1000;
}

/** Before what came at `ms`, so many bytes were stored. */
interface Moment {
  readonly ms: number;
  readonly storedBytes: number;
}

function leastAhead(moments: readonly Moment[]): Moment {
  const ahead = ({ ms, storedBytes }: Moment) => storedBytes - ms / 1000 * QUOTA_BYTES_PER_SECOND;
  return moments.reduce((least, each) => ahead(each) < ahead(least) ? each : least);
}
