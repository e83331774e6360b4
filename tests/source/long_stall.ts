/**
 * A sink that stands still for many session timeouts behind a source: its partitions are paused, its gateway stays a
 * member of the group, and the source beside it reads on. Minutes, as a broker's clock cannot be advanced.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import type { WeirGateway } from "../../mod.ts";
import type { KafkaSourceSnapshot } from "../../src/monitor/view.ts";
import { KafkaBroker } from "../services/kafka.ts";
import { SourceStage } from "./source_stage.ts";

/** A member that is silent for 10 s is given up: one that gets no processor for some seconds is not. */
const SETTINGS = {
  "group.consumer.min.session.timeout.ms": "3000",
  "group.consumer.session.timeout.ms": "10000",
  "group.consumer.min.heartbeat.interval.ms": "500",
  "group.consumer.heartbeat.interval.ms": "500",
};
const PARTITIONS = 4;
const RECORDS = 12_000;
const LOOK_MS = 500;
const MIB = 1_048_576;

async function sourcesOf(gateway: WeirGateway): Promise<[KafkaSourceSnapshot, KafkaSourceSnapshot]> {
  const answer = await fetch(`http://127.0.0.1:${gateway.adminPort}/api/v1/topology`);
  const { sources } = await answer.json() as { sources: KafkaSourceSnapshot[] };
  const named = (name: string) => sources.find((source) => source.name === name)!;
  return [named("kafka"), named("beside")];
}

/** Lets the sink stand for `ms`, looks on, and counts what was stored. */
export async function stallForLong(ms: number): Promise<void> {
  await using broker = await KafkaBroker.start({ settings: SETTINGS });
  await using stage = await SourceStage.open(PARTITIONS, broker.address);
  const beside = `${stage.topic}-beside`;
  await stage.createTopic(beside, 1);
  stage.stall("out");
  const values = Array.from({ length: RECORDS }, (_, n) => `{"n":${n},"pad":"${"x".repeat(1000)}"}`);
  await stage.send(values.map((value, n) => ({ value, partition: n % PARTITIONS })));
  const gateway = await stage.gateway({
    streams: { beside: { sinks: ["other"] } },
    stream: { maxSegments: 40 },
    sinks: { out: { type: "got", timeoutMs: 2 * ms + 60_000 }, other: { type: "got" } },
    sources: { beside: { topics: [beside], groupId: beside, stream: "beside" } },
  });
  const isPaused = ({ partitions }: KafkaSourceSnapshot) =>
    partitions.length === PARTITIONS && partitions.every(({ paused }) => paused);
  await stage.until(async () => isPaused((await sourcesOf(gateway))[0]), "every partition waits");
  const [{ takenRecords }] = await sourcesOf(gateway);
  let sent = 0;
  for (const startMs = performance.now(); performance.now() - startMs < ms;) {
    await stage.send([{ topic: beside, value: `{"beside":${sent++}}` }]);
    await delay(LOOK_MS);
    const [stalled, other] = await sourcesOf(gateway);
    assertEquals(await stage.groupState(), "STABLE");
    assertEquals([stalled.state, stalled.takenRecords, other.state], ["up", takenRecords, "up"]);
    assert(stalled.heldBytes < 40 * MIB, `${stalled.heldBytes} bytes are held`);
  }
  await stage.until(() => stage.values("other").length === sent, "the source beside it read on");
  stage.release("out");
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  await stage.until(
    async () => (await stage.committed(partitions)).every((offset) => offset === RECORDS / PARTITIONS),
    "all is committed",
  );
  // A member that had to join again would have read all again.
  assertEquals(stage.values().toSorted(), values.toSorted());
}
