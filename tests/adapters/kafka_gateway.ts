/** Numbered records with keys through a gateway into a topic, and what came of them. @module */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import type { KafkaTopic } from "./kafka_topic.ts";

const RECORDS_PER_BODY = 1000;
/** A broker that boots again shares two cores with other tests. */
const ARRIVAL_DEADLINE_MS = 120_000;

/** Starts a gateway whose stream `events` goes to `topic`; the rest are further options of each part. */
export async function startGateway(
  topic: KafkaTopic,
  sink: RawConfig = {},
  stream: RawConfig = {},
  buffers: RawConfig = {},
): Promise<GatewayProcess> {
  return await GatewayProcess.start({
    buffers,
    streams: { events: { sinks: ["kafka"], key: "/key", ack: "memory", ...stream } },
    sinks: {
      kafka: {
        type: "kafka",
        brokers: [topic.address],
        topic: topic.name,
        retry: { initialMs: 20, maxMs: 500 },
        ...sink,
      },
    },
  });
}

/** What clients saw. */
export interface Posted {
  /** Requests that were answered 429 or 503. */
  readonly refused: number;
  /** The longest time that a client was told to stay away, s. */
  readonly longestRetryAfterSeconds: number;
  /** The longest time that a client waited for an answer. */
  readonly longestAnswerMs: number;
}

/**
 * Posts records numbered `from` to `to - 1`, of `keys` keys; each of the `senders` has keys of its own, and sends one request
 * after the other, so that the numbers of a key are accepted in their order.
 */
export async function postNumbers(
  gateway: GatewayProcess,
  from: number,
  to: number,
  { keys = 100, senders = 4, padding = 200 }: {
    readonly keys?: number;
    readonly senders?: number;
    readonly padding?: number;
  } = {},
): Promise<Posted> {
  let refused = 0;
  let longestRetryAfterSeconds = 0;
  let longestAnswerMs = 0;
  const pad = "x".repeat(padding);
  await Promise.all(Array.from({ length: senders }, async (_, sender) => {
    // Numbers of this sender's keys: those whose key, the number modulo `keys`, is its own modulo `senders`.
    let lines: string[] = [];
    for (let n = from; n < to; n++) {
      if (n % keys % senders === sender) lines.push(`{"key":"key-${n % keys}","n":${n},"text":"${pad}"}\n`);
      if (lines.length < RECORDS_PER_BODY && n < to - 1 || lines.length === 0) continue;
      const body = lines.join("");
      for (;;) {
        const startMs = performance.now();
        const waitSeconds = await post(gateway, body);
        longestAnswerMs = Math.max(longestAnswerMs, performance.now() - startMs);
        if (waitSeconds === 0) break;
        refused++;
        longestRetryAfterSeconds = Math.max(longestRetryAfterSeconds, waitSeconds);
        await delay(waitSeconds * 1000);
      }
      lines = [];
    }
  }));
  return { refused, longestRetryAfterSeconds, longestAnswerMs };
}

async function post(gateway: GatewayProcess, body: string): Promise<number> {
  const response = await fetch(`${gateway.url}/v1/streams/events`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body,
  });
  const text = await response.text();
  if (response.ok) return 0;
  assert(response.status === 429 || response.status === 503, `${response.status}: ${text}`);
  const waitSeconds = Number(response.headers.get("retry-after"));
  assert(waitSeconds >= 1, `Retry-After says ${response.headers.get("retry-after")}`);
  return waitSeconds;
}

/** Resolves when the gateway has delivered `count` records to `sink`. */
export async function delivered(gateway: GatewayProcess, count: number, sink = "kafka"): Promise<void> {
  const deadlineMs = performance.now() + ARRIVAL_DEADLINE_MS;
  for (;;) {
    const acked = await gateway.metric("weir_sink_records_total", { sink, outcome: "delivered" });
    if (acked >= count) return;
    assert(performance.now() < deadlineMs, `${acked} of ${count} records arrived in time`);
    await delay(50);
  }
}

/** The topic holds the numbers 0 to `count - 1`, each once, and those of each key in their order. */
export async function assertNumbers(topic: KafkaTopic, count: number): Promise<void> {
  const seen = new Uint8Array(count);
  const lastOf = new Map<string, number>();
  const partitionOf = new Map<string, number>();
  let twice = 0, disordered = 0;
  for (const { key: keyOrNull, value, partition } of await topic.records()) {
    const key = keyOrNull ?? "no key";
    const n = Number(value.slice(value.indexOf('"n":') + 4, value.indexOf(',"text"')));
    if (seen[n]++ > 0) twice++;
    if (n <= (lastOf.get(key) ?? -1)) disordered++;
    lastOf.set(key, n);
    assertEquals(partitionOf.get(key) ?? partition, partition, "a key is in one partition");
    partitionOf.set(key, partition);
  }
  const missing = seen.filter((times) => times === 0).length;
  assertEquals({ missing, twice, disordered }, { missing: 0, twice: 0, disordered: 0 });
}
