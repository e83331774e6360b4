/** A gateway that is killed in the middle of transactions, life after life, and what readers see of its batches. @module */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { GatewayProcess } from "../support/gateway_process.ts";
import type { KafkaTopic } from "./kafka_topic.ts";

const STREAMS = ["a", "b", "c"];
/** A body is a batch: the lane waits until it has all of it, and no more. */
const BODY_RECORDS = 200;
/** A life ends after so many acked bodies at most. */
const MAX_BODIES_PER_LIFE = 30;
/** And so long after the last of them at most, to meet each part of a transaction. */
const MAX_EXTRA_MS = 20;

/**
 * Kills gateways that write to `topic` in transactions with one transactional id, `kills` times. Rejects where a batch is
 * there in part or twice, or one that was acked is missing.
 */
export async function killGateways(topic: KafkaTopic, kills: number, random: () => number): Promise<void> {
  const acked = new Set<string>();
  const folder = await Deno.makeTempDir({ prefix: "weir_kills_" });
  try {
    for (let life = 0; life < kills; life++) {
      await using gateway = await GatewayProcess.start(configFor(topic), { folder });
      const last = acked.size + Math.ceil(random() * MAX_BODIES_PER_LIFE);
      const senders = STREAMS.map((stream) => postUntilDead(gateway, stream, life, acked));
      await gateway.program.waitUntil(() => acked.size >= last, 60_000, `${last} bodies were acked`);
      await delay(random() * MAX_EXTRA_MS);
      gateway.program.signal("SIGKILL");
      await Promise.all(senders);
    }
    // Takes the id again, and so ends what the last life left open; readers would wait for it.
    await using gateway = await GatewayProcess.start(configFor(topic), { folder });
    const isAcked = await post(gateway, STREAMS[0], "last");
    assert(isAcked, "a gateway that is not killed acks");
    acked.add("last");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  await assertWhole(topic, acked, kills);
}

function configFor(topic: KafkaTopic): Record<string, unknown> {
  const stream = { sinks: ["kafka"], key: "/key", ack: "delivered" };
  return {
    gateway: { id: topic.name },
    streams: Object.fromEntries(STREAMS.map((name) => [name, stream])),
    sinks: {
      kafka: {
        type: "kafka",
        brokers: [topic.address],
        topic: topic.name,
        transactional: true,
        createTopics: true,
        batch: { maxRecords: BODY_RECORDS, lingerMs: 1000 },
        // Several requests for each body, between which a kill may fall.
        maxBatchBytes: 1024,
      },
    },
  };
}

async function postUntilDead(
  gateway: GatewayProcess,
  stream: string,
  life: number,
  acked: Set<string>,
): Promise<void> {
  for (let body = 0;; body++) {
    const name = `${life}-${stream}-${body}`;
    try {
      if (!(await post(gateway, stream, name))) return;
    } catch (error) {
      // The gateway is killed.
      if (error instanceof TypeError) return;
      throw error;
    }
    acked.add(name);
  }
}

async function post(gateway: GatewayProcess, stream: string, name: string): Promise<boolean> {
  const lines = Array.from(
    { length: BODY_RECORDS },
    (_, i) => `{"key":"key-${i % 20}","batch":"${name}","i":${i}}\n`,
  );
  const response = await fetch(`${gateway.url}/v1/streams/${stream}`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: lines.join(""),
  });
  await response.body?.cancel();
  return response.ok;
}

async function assertWhole(topic: KafkaTopic, acked: ReadonlySet<string>, kills: number): Promise<void> {
  const seen = new Map<string, number[]>();
  for (const { value } of await topic.records()) {
    const { batch, i } = JSON.parse(value);
    const records = seen.get(batch);
    if (records === undefined) seen.set(batch, [i]);
    else records.push(i);
  }
  const whole = JSON.stringify(Array.from({ length: BODY_RECORDS }, (_, i) => i));
  const broken = [...seen].filter(([, records]) => JSON.stringify(records.sort((a, b) => a - b)) !== whole)
    .map(([batch, records]) => `${batch}: ${records.length} records`);
  const missing = [...acked].filter((batch) => !seen.has(batch));
  assertEquals({ missing, broken }, { missing: [], broken: [] });
  const unacked = seen.size - acked.size;
  console.log(`${kills} kills: ${acked.size} batches acked, ${unacked} more are stored, all of them whole`);
}
