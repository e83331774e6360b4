/** A broker that is killed between a commit and its answer, and what readers see when it is back. @module */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { KafkaBroker } from "../services/kafka.ts";
import { END_TXN, KafkaProxy } from "../services/kafka_proxy.ts";
import { freePort } from "../support/ports.ts";
import { outcomesOf } from "../support/written.ts";
import { openKafka } from "./kafka_sink.ts";
import { KafkaTopic } from "./kafka_topic.ts";

/** From the request on, ms: in this time the broker has not got it, has promised the commit, or is writing its marks. */
const MAX_KILL_MS = 2;
/** For what brokers do at their first transaction, on two cores that other tests share. */
const FIRST_DEADLINE_MS = 60_000;

/** Kills the broker in the middle of `kills` commits. Rejects where a batch is not acked, or readers do not see what is. */
export async function killCommits(kills: number, random: () => number): Promise<void> {
  const port = freePort();
  await using broker = await KafkaBroker.start({
    listeners: [{ name: "PROXIED", protocol: "PLAINTEXT", advertisedPort: port }],
    settings: { "broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500" },
  });
  await using proxy = await KafkaProxy.start(port, () => broker.addressOf("PROXIED"));
  await using topic = await KafkaTopic.create(broker.address, 4);
  await using sink = await openKafka({
    brokers: [`127.0.0.1:${port}`],
    topic: topic.name,
    transactional: true,
    createTopics: true,
  });
  const acked: string[] = [];
  const write = async () => {
    const values = Array.from({ length: 20 }, (_, i) => `${acked.length + i}`);
    const result = await sink.write(
      values.map((value) => ({ key: value, value })),
      { signal: new AbortController().signal },
    );
    if (outcomesOf(result).every((outcome) => outcome === 0)) acked.push(...values);
  };
  for (const startMs = performance.now(); acked.length === 0; await write()) {
    assert(performance.now() - startMs < FIRST_DEADLINE_MS, "a batch is acked before the first kill");
  }
  for (let kill = 0; kill < kills; kill++) {
    await write();
    const before = acked.length;
    const isKilled = Promise.withResolvers<void>();
    const killSoon = async () => {
      await delay(random() * MAX_KILL_MS);
      await broker.kill();
      isKilled.resolve();
    };
    // Where the answer is faster than the kill, it gets lost.
    proxy.next(END_TXN, {
      kind: "late",
      until: () => Promise.resolve(void killSoon()),
      isUnanswered: true,
    });
    const written = write();
    await isKilled.promise;
    await broker.restart();
    await written;
    assertEquals(acked.length, before + 20, "what was being committed is acked");
    const stored = (await topic.records()).map(({ value }) => value);
    assertEquals(stored.toSorted(), acked.toSorted(), `after kill ${kill}`);
  }
}
